-- harden(): takes from PUBLIC what crosses tenants although no policy is broken. Each row of the lists
-- below is a statement that is carried out or found done; pg_dump carries them.

CREATE FUNCTION tenancy.harden_functions() RETURNS TABLE (pattern text, keepers text, reason text)
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT f.pattern, f.keepers, f.reason FROM (VALUES
        ('^pg_stat_get_', 'pg_monitor', 'counts rows and shows statements of other tenants'),
        ('^pg_(lock_status|prepared_xact|blocking_pids|safe_snapshot_blocking_pids|isolation_test_session_is_blocked|get_multixact_members)$', 'pg_monitor',
            'shows what other tenants'' sessions are doing'),
        ('^pg_(prepared_statement|cursor)$', 'pg_monitor', 'shows statements that others left in a pooled session'),
        ('^pg_(relation|table|indexes|total_relation|database|tablespace)_size$', 'pg_monitor',
            'tells how much data other tenants have'),
        ('^pg_(current_wal|last_wal|last_committed_xact|xact_commit_timestamp|notification_queue_usage|control_checkpoint$|get_replication_slots$)', 'pg_monitor',
            'tells how much other tenants write'),
        ('^pg_sequence_last_value$', 'pg_monitor', 'tells how many rows other tenants have inserted'),
        ('^currtid2$', NULL, 'tells which pages of a table have rows'),
        ('^pg_(try_)?advisory_', NULL, 'fills the lock table of the whole server; use tenancy.advisory_lock()'),
        ('^pg_(terminate|cancel)_backend$', 'pg_signal_backend', 'ends sessions of other tenants, which have the same role'),
        ('^pg_notify$', NULL, 'reaches every tenant; use tenancy.notify()'),
        ('^(lo_|loread$|lowrite$)', NULL, 'large objects belong to the role, not to a tenant'),
        ('^pg_logical_emit_message$', NULL, 'writes WAL without limit'),
        ('^pg_export_snapshot$', NULL, 'holds back VACUUM for every tenant')
    ) AS f (pattern, keepers, reason);
END;
COMMENT ON FUNCTION tenancy.harden_functions() IS
    'Functions of pg_catalog that harden() takes from PUBLIC: name pattern, predefined role that keeps them, why';
REVOKE ALL ON FUNCTION tenancy.harden_functions() FROM PUBLIC;

CREATE FUNCTION tenancy.harden_steps() RETURNS TABLE (statement text, reason text, done boolean)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH functions AS (
        SELECT p.oid, format('FUNCTION pg_catalog.%I(%s)', p.proname,
               pg_get_function_identity_arguments(p.oid)) AS object, h.keepers, h.reason,
               coalesce(p.proacl, acldefault('f', p.proowner)) AS acl
        FROM pg_proc p JOIN tenancy.harden_functions() h ON p.proname ~ h.pattern
        WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f'
    ), steps AS (
        SELECT 1 AS part, format('REVOKE EXECUTE ON %s FROM PUBLIC', f.object) AS statement, f.reason,
               NOT EXISTS (SELECT FROM aclexplode(f.acl) a WHERE a.grantee = 0) AS done
        FROM functions f
        UNION ALL
        SELECT 2, format('GRANT EXECUTE ON %s TO %I', f.object, f.keepers), 'monitoring and administration use it',
               EXISTS (SELECT FROM aclexplode(f.acl) a WHERE a.grantee = to_regrole(f.keepers))
        FROM functions f WHERE f.keepers IS NOT NULL
        UNION ALL
        SELECT 3, format('REVOKE %s ON DATABASE %I FROM PUBLIC', t.privilege, d.datname), t.reason,
               NOT EXISTS (SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
                           WHERE a.grantee = 0 AND a.privilege_type = t.privilege)
        FROM pg_database d,
             (VALUES ('TEMPORARY', 'temporary objects stay in a pooled session and can hide real ones'),
                     ('CREATE', 'a schema of the attacker''s own can hide real objects')) AS t (privilege, reason)
        WHERE d.datname = current_database()
        UNION ALL
        SELECT 4, format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', n.nspname),
               'objects of the attacker''s own can hide real ones',
               NOT EXISTS (SELECT FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
                           WHERE a.grantee = 0 AND a.privilege_type = 'CREATE')
        FROM pg_namespace n WHERE n.nspname = 'public'
        UNION ALL
        SELECT 5, format('REVOKE USAGE ON LANGUAGE %I FROM PUBLIC', l.lanname),
               'DO blocks and functions are programs of the attacker''s own',
               NOT EXISTS (SELECT FROM aclexplode(coalesce(l.lanacl, acldefault('l', l.lanowner))) a
                           WHERE a.grantee = 0)
        FROM pg_language l WHERE l.lanpltrusted AND l.lanname <> 'internal'
    )
    SELECT s.statement, s.reason, s.done FROM steps s ORDER BY s.part, s.statement COLLATE "C";
END;
COMMENT ON FUNCTION tenancy.harden_steps() IS 'What harden() would do here, and which of it is done';
REVOKE ALL ON FUNCTION tenancy.harden_steps() FROM PUBLIC;

CREATE FUNCTION tenancy.harden(dry_run boolean DEFAULT true)
    RETURNS TABLE (statement text, reason text, done boolean)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    step record;
BEGIN
    IF NOT coalesce(dry_run, true) AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        RAISE EXCEPTION 'only a superuser can harden a database' USING ERRCODE = 'insufficient_privilege',
            HINT = 'The functions of pg_catalog belong to the bootstrap superuser.';
    END IF;
    FOR step IN SELECT s.statement FROM tenancy.harden_steps() s WHERE NOT coalesce(dry_run, true) AND NOT s.done LOOP
        EXECUTE step.statement;
    END LOOP;
    RETURN QUERY SELECT s.statement, s.reason, s.done FROM tenancy.harden_steps() s;
END
$$;
COMMENT ON FUNCTION tenancy.harden(boolean) IS
    'Revokes from PUBLIC what crosses tenants, in this database; lists each statement, why, and whether it is in force. Carries them out only with dry_run => false';
REVOKE ALL ON FUNCTION tenancy.harden(boolean) FROM PUBLIC;
