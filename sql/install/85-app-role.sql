-- Application roles: exact grants for a role that already exists, and refusal of one that could
-- walk around the wall.

CREATE FUNCTION tenancy.maintenance_privileges() RETURNS SETOF text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT f.routine FROM unnest(ARRAY['tenancy.instance_lock(text)', 'agent.sweep_turns(integer)', 'agent.open_holds()',
        'tenancy.claim_alert(integer)', 'tenancy.alert_delivered(text, uuid)', 'tenancy.seal_audit(text, integer)',
        'tenancy.apply_retention(integer)']) f (routine);
END;
COMMENT ON FUNCTION tenancy.maintenance_privileges() IS 'The functions that a maintenance role may call';
REVOKE ALL ON FUNCTION tenancy.maintenance_privileges() FROM PUBLIC;

-- One line per reason why the role must not be an application role; none when it may.
CREATE FUNCTION tenancy.app_role_objections(role name) RETURNS SETOF text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH reach AS ( -- the role itself and every role it can SET ROLE to
        SELECT r.* FROM pg_roles r
        WHERE r.rolname = app_role_objections.role
           OR pg_has_role(app_role_objections.role, r.oid, 'MEMBER')
    )
    SELECT format('%s has %s', quote_ident(r.rolname), a.attribute)
    FROM reach r, LATERAL (VALUES (r.rolsuper, 'SUPERUSER'), (r.rolbypassrls, 'BYPASSRLS'),
        (r.rolcreaterole, 'CREATEROLE'), (r.rolreplication, 'REPLICATION')) a (held, attribute)
    WHERE a.held
    UNION ALL
    SELECT format('it is a member of predefined role %s', r.rolname) FROM reach r
    WHERE r.rolname LIKE 'pg\_%' AND r.rolname <> app_role_objections.role
      AND r.rolname <> 'pg_database_owner'
    UNION ALL
    SELECT format('%s has privileges of a maintenance role', quote_ident(r.rolname)) FROM reach r
    WHERE NOT r.rolsuper AND EXISTS (SELECT FROM tenancy.maintenance_privileges() m (routine)
                                     WHERE has_function_privilege(r.oid, m.routine, 'EXECUTE'))
    UNION ALL
    SELECT format('%s owns this database', quote_ident(r.rolname))
    FROM reach r JOIN pg_database d ON d.datdba = r.oid WHERE d.datname = current_database()
    UNION ALL
    SELECT format('%s owns schema %s', quote_ident(r.rolname), quote_ident(n.nspname))
    FROM reach r JOIN pg_namespace n ON n.nspowner = r.oid
    WHERE n.nspname IN ('tenancy', 'agent', 'pg_catalog')
    UNION ALL
    SELECT format('%s owns protected table %s', quote_ident(r.rolname), c.oid::regclass)
    FROM reach r JOIN pg_class c ON c.relowner = r.oid
    WHERE c.relrowsecurity OR c.relnamespace IN (SELECT n.oid FROM pg_namespace n
                                                 WHERE n.nspname IN ('tenancy', 'agent'));
END;
COMMENT ON FUNCTION tenancy.app_role_objections(name) IS
    'Why a role cannot be an application role: how it could bypass the wall. No row: it can be one';
REVOKE ALL ON FUNCTION tenancy.app_role_objections(name) FROM PUBLIC;

CREATE FUNCTION tenancy.grant_app(role name) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    objections text;
    privilege  record;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = grant_app.role) THEN
        RAISE EXCEPTION 'role "%" does not exist', role USING ERRCODE = 'undefined_object',
            HINT = 'Create it first, with LOGIN and nothing else: the extension creates no role.';
    END IF;
    SELECT string_agg(o, E'\n') INTO objections FROM tenancy.app_role_objections(role) o;
    IF objections IS NOT NULL THEN
        RAISE EXCEPTION 'role "%" could bypass the wall between tenants', role
            USING ERRCODE = 'invalid_grant_operation', DETAIL = objections,
                  HINT = 'Use a role of its own for the application: LOGIN, owner of nothing, member of nothing.';
    END IF;
    PERFORM tenancy.revoke_app(role); -- exactly these privileges, whatever was granted before
    FOR privilege IN SELECT * FROM tenancy.app_privileges() LOOP
        EXECUTE format('GRANT %s ON %s %s TO %I', privilege.privileges, privilege.kind,
                       privilege.object, role);
    END LOOP;
    INSERT INTO tenancy.app_roles (role_name) VALUES (role) ON CONFLICT DO NOTHING;
    PERFORM tenancy.protect_run(s)
        FROM tenancy.protected_tables p, LATERAL tenancy.protect_privilege_steps(p.relation) s;
END
$$;
COMMENT ON FUNCTION tenancy.grant_app(name) IS
    'Makes an existing role an application role: exactly the privileges of tenancy.app_privileges(); refuses a role that could bypass the wall (0LP01)';
REVOKE ALL ON FUNCTION tenancy.grant_app(name) FROM PUBLIC;

CREATE FUNCTION tenancy.revoke_app(role name) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kind text;
BEGIN
    FOREACH kind IN ARRAY '{TABLES,SEQUENCES,ROUTINES}'::text[] LOOP
        EXECUTE format('REVOKE ALL ON ALL %s IN SCHEMA tenancy, agent FROM %I', kind, role);
    END LOOP;
    EXECUTE format('REVOKE ALL ON SCHEMA tenancy, agent FROM %I', role);
    DELETE FROM tenancy.app_roles r WHERE r.role_name = revoke_app.role;
END
$$;
COMMENT ON FUNCTION tenancy.revoke_app(name) IS 'Takes every privilege in both schemas from a role';
REVOKE ALL ON FUNCTION tenancy.revoke_app(name) FROM PUBLIC;

-- Also an application role: one with such a role's privilege that is none by name, such as one renamed, or a
-- member of one.
CREATE FUNCTION tenancy.require_no_app_role(role name) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = require_no_app_role.role) THEN
        RAISE EXCEPTION 'role "%" does not exist', role USING ERRCODE = 'undefined_object',
            HINT = 'Create it first, with LOGIN and nothing else: the extension creates no role.';
    END IF;
    IF EXISTS (SELECT FROM tenancy.app_roles r JOIN pg_roles p ON p.rolname = r.role_name
               WHERE pg_has_role(p.oid, require_no_app_role.role, 'MEMBER'))
        OR EXISTS (SELECT FROM pg_roles r WHERE NOT r.rolsuper AND pg_has_role(require_no_app_role.role, r.oid, 'MEMBER')
                   AND has_function_privilege(r.oid, 'agent.call(text, text, jsonb, jsonb, bytea)', 'EXECUTE')) THEN
        RAISE EXCEPTION 'role "%" is an application role', role USING ERRCODE = 'invalid_grant_operation',
            DETAIL = 'It is one, or a member of one, or one is a member of it.',
            HINT = 'Use another one: what tenants can run must not be able to take down walls, end turns or pass for a server.';
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.require_no_app_role(name) IS 'Internal: raises 0LP01 for a role whose rights tenants have';
REVOKE ALL ON FUNCTION tenancy.require_no_app_role(name) FROM PUBLIC;

CREATE FUNCTION tenancy.grant_maintenance(role name) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.require_no_app_role(role);
    EXECUTE format('GRANT USAGE ON SCHEMA tenancy, agent TO %I', role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I',
        (SELECT string_agg(m, ', ') FROM tenancy.maintenance_privileges() m), role);
END
$$;
COMMENT ON FUNCTION tenancy.grant_maintenance(name) IS
    'Lets a role, not an application role (0LP01), call the functions of tenancy.maintenance_privileges()';
REVOKE ALL ON FUNCTION tenancy.grant_maintenance(name) FROM PUBLIC;

-- The functions of a role that protects its own tables, migrations for instance.
CREATE FUNCTION tenancy.grant_protect(role name) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    routine regprocedure;
BEGIN
    PERFORM tenancy.require_no_app_role(role);
    EXECUTE format('GRANT USAGE ON SCHEMA tenancy TO %I', role);
    EXECUTE format('GRANT SELECT ON tenancy.tenants, tenancy.app_roles, tenancy.protected_schemas TO %I', role);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON tenancy.protected_tables TO %I', role);
    FOR routine IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'tenancy'::regnamespace AND NOT p.prosecdef
            AND (p.proname ~ '^(un)?protect_(?!schema$)' OR p.proname IN ('run_as_owner', 'current_tenant', 'require')) LOOP
        EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %I', routine, role);
    END LOOP;
END
$$;
COMMENT ON FUNCTION tenancy.grant_protect(name) IS
    'Lets a role, not an application role, protect and unprotect the tables that it owns';
REVOKE ALL ON FUNCTION tenancy.grant_protect(name) FROM PUBLIC;
