-- Rules of check_isolation() about code that runs with somebody else's rights: views, functions, languages.

CREATE FUNCTION tenancy.check_views(tables tenancy.checked_table[]) RETURNS SETOF tenancy.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH RECURSIVE reads AS ( -- what a view reads, through other views, too
        SELECT w.ev_class AS view, d.refobjid AS base FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
            AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> w.ev_class
        WHERE w.ev_class >= 16384 -- not the catalog's own
        UNION
        SELECT r.view, d.refobjid FROM reads r JOIN pg_rewrite w ON w.ev_class = r.base JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass
            AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> w.ev_class
        WHERE r.base >= 16384
    ), opened AS ( -- views over protected tables that the application can use
        SELECT v.oid, v.oid::regclass AS name, v.relkind, v.relowner, coalesce(v.reloptions, '{}') AS options, o.rolsuper OR o.rolbypassrls AS bypasses,
            array_agg(DISTINCT g.name) AS grantees, bool_or(a.privilege_type <> 'SELECT') AS writable,
            bool_or(t.owner = v.relowner AND NOT t.forced) AS own_unforced
        FROM pg_class v JOIN pg_roles o ON o.oid = v.relowner JOIN reads r ON r.view = v.oid JOIN unnest(tables) t ON t.relation = r.base AND t.behind_wall,
            LATERAL aclexplode(v.relacl) a JOIN tenancy.check_grantees() g ON g.role = a.grantee
        WHERE v.relkind IN ('v', 'm') GROUP BY v.oid, o.oid, o.rolsuper, o.rolbypassrls
    )
    SELECT 'view_without_security_invoker', CASE WHEN v.bypasses OR v.own_unforced THEN 'critical' ELSE 'medium' END, v.name::text,
        CASE WHEN v.bypasses THEN 'It reads as its owner, to whom row security does not apply: all tenants'' rows.'
             WHEN v.own_unforced THEN 'It reads as the owner of a table without FORCE: all tenants'' rows.'
             ELSE 'It reads with its owner''s privileges, not the reader''s.' END,
        format('ALTER VIEW %s SET (security_invoker = true)', v.name)
    FROM opened v WHERE v.relkind = 'v' AND NOT v.options && '{security_invoker=true,security_invoker=on}'
    UNION ALL
    SELECT 'view_without_barrier', 'low', v.name::text, 'Conditions of the reader may run before those of the view: they see what it hides.',
        format('ALTER VIEW %s SET (security_barrier = true)', v.name)
    FROM opened v WHERE v.relkind = 'v' AND NOT v.options && '{security_invoker=true,security_invoker=on,security_barrier=true,security_barrier=on}'
    UNION ALL
    SELECT 'view_without_check_option', 'low', v.name::text, 'Rows can be written through it that it does not show.',
        format('ALTER VIEW %s SET (check_option = cascaded)', v.name)
    FROM opened v WHERE v.relkind = 'v' AND v.writable AND pg_relation_is_updatable(v.oid, false) & 8 <> 0
      AND pg_get_viewdef(v.oid) ~* '\mWHERE\M' AND NOT v.options && '{check_option=cascaded,check_option=local}'
    UNION ALL
    SELECT 'materialized_view_reachable', 'critical', v.name::text, 'Row security is not possible on it, and it holds the rows of all tenants.',
        format('REVOKE ALL ON %s FROM %s', v.name, array_to_string(v.grantees, ', '))
    FROM opened v WHERE v.relkind = 'm';
END;
COMMENT ON FUNCTION tenancy.check_views(tenancy.checked_table[]) IS 'Internal: rules view_*, materialized_view_reachable';
REVOKE ALL ON FUNCTION tenancy.check_views(tenancy.checked_table[]) FROM PUBLIC;

CREATE FUNCTION tenancy.check_functions(tables tenancy.checked_table[]) RETURNS SETOF tenancy.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH f AS (
        SELECT p.oid, p.oid::regprocedure AS name, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END AS kind, p.prosecdef, l.lanname, l.lanpltrusted,
            o.rolsuper OR o.rolbypassrls AS bypasses, p.prorettype, p.prosqlbody IS NOT NULL AS parsed,
            coalesce((SELECT bool_or(c ~ '^search_path=.*pg_temp"?$') FROM unnest(p.proconfig) c), false) AS pinned,
            (SELECT string_agg(DISTINCT g.name, ', ') FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                JOIN tenancy.check_grantees() g ON g.role = a.grantee) AS grantees,
            EXISTS (SELECT FROM pg_trigger g JOIN unnest(tables) t ON t.relation = g.tgrelid AND t.behind_wall WHERE g.tgfoid = p.oid) AS fires
        FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang JOIN pg_roles o ON o.oid = p.proowner
        WHERE p.oid >= 16384 AND p.pronamespace NOT IN ('tenancy'::regnamespace, 'agent'::regnamespace, 'pg_catalog'::regnamespace)
    )
    SELECT 'definer_function_reachable', CASE WHEN f.bypasses THEN 'critical' ELSE 'high' END, f.name::text,
        'The application runs it with its owner''s rights' || CASE WHEN f.bypasses THEN ', to whom row security does not apply.' ELSE '.' END,
        format('REVOKE EXECUTE ON %s %s FROM %s', f.kind, f.name, f.grantees)
    FROM f WHERE f.prosecdef AND f.grantees IS NOT NULL AND f.prorettype <> ALL ('{trigger,event_trigger}'::regtype[])
    UNION ALL
    SELECT 'definer_function_search_path', 'high', f.name::text,
        'Temporary objects shadow what it names, tables and types: pg_temp must be listed, and last.',
        format('ALTER %s %s SET search_path = pg_catalog, pg_temp', f.kind, f.name)
    FROM f WHERE f.prosecdef AND NOT f.pinned AND NOT f.parsed AND f.lanname NOT IN ('c', 'internal')
    UNION ALL
    SELECT 'trigger_function_search_path', 'low', f.name::text, 'It is fired by protected tables and looks names up where the session says.',
        format('ALTER FUNCTION %s SET search_path = pg_catalog, pg_temp', f.name)
    FROM f WHERE f.fires AND NOT f.prosecdef AND NOT f.pinned AND NOT f.parsed AND f.lanname NOT IN ('c', 'internal')
    UNION ALL
    SELECT 'untrusted_language_function', 'critical', f.name::text, 'Code in an untrusted language does what the server''s operating system user can.',
        format('REVOKE EXECUTE ON %s %s FROM %s', f.kind, f.name, f.grantees)
    FROM f WHERE f.grantees IS NOT NULL AND NOT f.lanpltrusted AND f.lanname NOT IN ('c', 'internal')
    UNION ALL
    SELECT 'language_usable', CASE WHEN l.lanpltrusted THEN 'medium' ELSE 'critical' END, format('%I to %s', l.lanname, g.name),
        'It can write functions and DO blocks: the raw material of most attacks.', format('REVOKE USAGE ON LANGUAGE %I FROM %s', l.lanname, g.name)
    FROM pg_language l, LATERAL aclexplode(coalesce(l.lanacl, acldefault('l', l.lanowner))) a JOIN tenancy.check_grantees() g ON g.role = a.grantee
    WHERE l.lanpltrusted OR l.lanacl IS NOT NULL
    UNION ALL
    SELECT 'event_trigger_of_another_owner', 'critical', quote_ident(e.evtname), format('Superusers'' DDL runs code of role %I.', pg_get_userbyid(p.proowner)),
        format('DROP EVENT TRIGGER %I', e.evtname)
    FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid JOIN pg_roles o ON o.oid = p.proowner WHERE NOT o.rolsuper;
END;
COMMENT ON FUNCTION tenancy.check_functions(tenancy.checked_table[]) IS
    'Internal: rules definer_function_*, trigger_function_search_path, untrusted_language_function, language_usable, event_trigger_of_another_owner';
REVOKE ALL ON FUNCTION tenancy.check_functions(tenancy.checked_table[]) FROM PUBLIC;

CREATE FUNCTION tenancy.check_extensions() RETURNS SETOF tenancy.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH open AS ( -- the functions of each extension that the application may run
        SELECT e.oid, e.extname, string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.oid) AS functions, array_to_string(array_agg(DISTINCT g.name), ', ') AS grantees
        FROM pg_extension e JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
        JOIN pg_proc p ON p.oid = d.objid AND p.prorettype <> ALL ('{trigger,event_trigger,fdw_handler,language_handler,index_am_handler}'::regtype[]),
            LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a JOIN tenancy.check_grantees() g ON g.role = a.grantee
        GROUP BY e.oid, e.extname
    )
    SELECT 'extension_crosses_tenants', r.severity, quote_ident(o.extname), r.why, format('REVOKE EXECUTE ON FUNCTION %s FROM %s', o.functions, o.grantees)
    FROM open o JOIN (VALUES ('^(dblink|postgres_fdw|mysql_fdw|oracle_fdw|tds_fdw|http|pg_net|plproxy)$', 'high', 'Its functions open connections from the server: around the wall, and out of it.'),
        ('^(file_fdw|adminpack|plpython.*u|plperlu|pltclu|plsh|pg_cron|pg_background)$', 'high', 'It reaches files or other sessions of the server.'),
        ('^(pageinspect|pgrowlocks|pgstattuple|pg_freespacemap|pg_visibility|pg_buffercache|pg_walinspect|pg_prewarm|amcheck)$', 'high', 'It shows pages, locks or sizes of rows of all tenants.'),
        ('^(pg_stat_statements|pg_stat_kcache|pg_qualstats|pg_wait_sampling|auto_explain)$', 'medium', 'It shows the statements of all tenants, who share a role.'),
        ('^(lo|tcn)$', 'medium', 'It works with large objects or notifications, which belong to no tenant.')) r (name, severity, why) ON o.extname ~ r.name
    UNION ALL
    SELECT 'foreign_server_usable', 'high', format('%I to %s', s.srvname, g.name), 'A connection out of the database, or back into it as somebody else.',
        format('REVOKE USAGE ON FOREIGN SERVER %I FROM %s', s.srvname, g.name)
    FROM pg_foreign_server s, LATERAL aclexplode(s.srvacl) a JOIN tenancy.check_grantees() g ON g.role = a.grantee
    UNION ALL
    SELECT 'foreign_data_wrapper_usable', 'high', format('%I to %s', w.fdwname, g.name), 'It can define servers to connect to.',
        format('REVOKE USAGE ON FOREIGN DATA WRAPPER %I FROM %s', w.fdwname, g.name)
    FROM pg_foreign_data_wrapper w, LATERAL aclexplode(w.fdwacl) a JOIN tenancy.check_grantees() g ON g.role = a.grantee
    UNION ALL
    SELECT 'user_mapping_public', 'high', quote_ident(m.srvname), 'Every role connects to it with the same password.', format('DROP USER MAPPING FOR PUBLIC SERVER %I', m.srvname)
    FROM pg_user_mappings m WHERE m.umuser = 0
    UNION ALL
    SELECT 'extension_in_public', 'info', quote_ident(e.extname), 'Its functions are found in schema public, where others may add more.',
        '-- ALTER EXTENSION ... SET SCHEMA, if it can be moved'
    FROM pg_extension e WHERE e.extnamespace = to_regnamespace('public') AND e.extname <> 'pg_tenancy'
    UNION ALL
    SELECT 'extension_outdated', 'low', quote_ident(e.extname), format('Version %s is in this database, %s is installed.', e.extversion, v.default_version),
        format('ALTER EXTENSION %I UPDATE', e.extname)
    FROM pg_extension e JOIN pg_available_extensions() v ON v.name = e.extname WHERE e.extversion <> v.default_version;
END;
COMMENT ON FUNCTION tenancy.check_extensions() IS 'Internal: rules extension_*, foreign_server_usable, foreign_data_wrapper_usable, user_mapping_public';
REVOKE ALL ON FUNCTION tenancy.check_extensions() FROM PUBLIC;
