-- Rules of check_isolation() about what PostgreSQL lets everybody do, and about the server's settings.

CREATE FUNCTION tenancy.check_schemas() RETURNS SETOF tenancy.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE a.privilege_type WHEN 'CREATE' THEN 'database_create' ELSE 'database_temporary' END, 'high', format('%I to %s', d.datname, g.name),
        CASE a.privilege_type WHEN 'CREATE' THEN 'It can create schemas, and what is found through search_path in them.'
             ELSE 'Temporary tables, functions and types shadow names, and stay in pooled sessions for the next tenant.' END,
        format('REVOKE %s ON DATABASE %I FROM %s', a.privilege_type, d.datname, g.name)
    FROM pg_database d, LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a JOIN tenancy.check_grantees() g ON g.role = a.grantee
    WHERE d.datname = current_database() AND a.privilege_type IN ('CREATE', 'TEMPORARY')
    UNION ALL
    SELECT 'schema_create', 'high', format('%I to %s', n.nspname, g.name), 'Objects made there shadow others, or stay as traps for other tenants'' sessions.',
        format('REVOKE CREATE ON SCHEMA %I FROM %s', n.nspname, g.name)
    FROM pg_namespace n, LATERAL aclexplode(n.nspacl) a JOIN tenancy.check_grantees() g ON g.role = a.grantee WHERE a.privilege_type = 'CREATE'
    UNION ALL
    SELECT 'default_privileges', 'high', format('%s of %I to %s', o.word, pg_get_userbyid(d.defaclrole), g.name),
        'What that role creates next is open to the application before anybody protects it.',
        format('ALTER DEFAULT PRIVILEGES FOR ROLE %I %s REVOKE ALL ON %s FROM %s', pg_get_userbyid(d.defaclrole), 'IN SCHEMA ' || quote_ident(n.nspname), o.word, g.name)
    FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
    JOIN (VALUES ('r', 'TABLES'), ('S', 'SEQUENCES'), ('f', 'FUNCTIONS'), ('T', 'TYPES'), ('n', 'SCHEMAS')) o (type, word) ON o.type = d.defaclobjtype::text,
        LATERAL aclexplode(d.defaclacl) a JOIN tenancy.check_grantees() g ON g.role = a.grantee
    WHERE NOT (a.grantee = 0 AND d.defaclobjtype IN ('f', 'T')) GROUP BY d.defaclrole, o.word, g.name, n.nspname
    UNION ALL
    SELECT 'large_object_reachable', 'high', format('large object %s to %s', m.oid, g.name), 'Large objects belong to no tenant.',
        format('REVOKE ALL ON LARGE OBJECT %s FROM %s', m.oid, g.name)
    FROM pg_largeobject_metadata m, LATERAL aclexplode(m.lomacl) a JOIN tenancy.check_grantees() g ON g.role = a.grantee GROUP BY m.oid, g.name
    UNION ALL
    SELECT 'session_leftover', 'medium', format('%s in %s', c.relname, n.nspname),
        'A temporary table of a session of the application: in a pool the next tenant finds it.', '-- DISCARD ALL in that session, and revoke TEMPORARY'
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN tenancy.check_app_roles() k ON k.role = c.relowner
    WHERE c.relpersistence = 't' AND c.relkind IN ('r', 'p', 'v')
    UNION ALL
    SELECT 'prepared_transaction', 'high', p.gid, 'It holds locks of other tenants'' rows until any session of the same role ends it.', format('ROLLBACK PREPARED %L', p.gid)
    FROM pg_prepared_xacts p JOIN tenancy.check_app_roles() k ON k.role_name = p.owner WHERE p.database = current_database();
END;
COMMENT ON FUNCTION tenancy.check_schemas() IS
    'Internal: rules database_*, schema_create, default_privileges, large_object_reachable, session_leftover, prepared_transaction';
REVOKE ALL ON FUNCTION tenancy.check_schemas() FROM PUBLIC;

-- Functions of pg_catalog that everybody may execute and that know no tenants. A predefined role keeps
-- those that monitoring and administration use.
CREATE FUNCTION tenancy.check_catalog_functions() RETURNS SETOF tenancy.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT r.rule, r.severity, array_to_string(array_agg(DISTINCT g.name ORDER BY g.name), ', '), r.why,
        format('REVOKE EXECUTE ON FUNCTION %s FROM %s%s', string_agg(DISTINCT p.oid::regprocedure::text, ', '), array_to_string(array_agg(DISTINCT g.name ORDER BY g.name), ', '),
            format('; GRANT EXECUTE ON FUNCTION %s TO ' || r.keeper, string_agg(DISTINCT p.oid::regprocedure::text, ', ')))
    FROM (VALUES
        ('activity_visible', 'high', '^pg_stat_get_(activity|backend_|progress_info|wal_senders)', 'pg_monitor',
            'pg_stat_activity shows the statements of all tenants, as they share a role; tokens written into statements, too.'),
        ('statistics_counters_visible', 'high', '^pg_stat_get_(?!activity|backend_|progress_info|wal_senders)', 'pg_monitor',
            'Counters of the caller''s own transaction count the rows of other tenants that an index scan passed.'),
        ('advisory_locks_open', 'high', '^pg_(try_)?advisory_', NULL, 'Advisory locks know no tenants, and 200,000 of them stop the whole server.'),
        ('backend_signals_open', 'high', '^pg_(terminate|cancel)_backend$', 'pg_signal_backend', 'Any tenant ends the sessions of all others.'),
        ('large_object_functions_open', 'high', '^(lo_|loread$|lowrite$)', NULL,
            'Large objects belong to no tenant: any session lists, reads, overwrites and removes them.'),
        ('locks_visible', 'medium', '^pg_(lock_status|prepared_xact|blocking_pids|safe_snapshot_blocking_pids|isolation_test_session_is_blocked|get_multixact_members)$', 'pg_monitor', 'Locks and prepared transactions of all tenants, with their keys.'),
        ('pooled_statements_visible', 'medium', '^pg_(prepared_statement|cursor)$', 'pg_monitor', 'Statements that other tenants left in a pooled session can be read.'),
        ('wal_messages_open', 'medium', '^pg_logical_emit_message$', NULL, 'It fills the disk with WAL without writing a row.'),
        ('snapshot_export_open', 'medium', '^pg_export_snapshot$', NULL, 'It keeps VACUUM from cleaning up, for all tenants.'),
        ('notify_function_open', 'medium', '^pg_notify$', NULL, 'Channels know no tenants: it speaks to the listeners of all, and a full queue stops commits.'),
        ('relation_sizes_visible', 'low', '^pg_(relation|table|indexes|total_relation|database|tablespace)_size$', 'pg_monitor', 'Sizes tell how much other tenants have.'),
        ('write_rates_visible', 'low', '^pg_(current_wal|last_wal|last_committed_xact|xact_commit_timestamp|notification_queue_usage|sequence_last_value|control_checkpoint$|get_replication_slots$)', 'pg_monitor', 'It tells how much other tenants write.'),
        ('row_positions_visible', 'low', '^currtid2?$', NULL, 'It tells which pages of a table exist.')
    ) r (rule, severity, name, keeper, why)
    JOIN pg_proc p ON p.proname ~ r.name AND p.pronamespace = 'pg_catalog'::regnamespace,
        LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a JOIN tenancy.check_grantees() g ON g.role = a.grantee
    WHERE g.name IS DISTINCT FROM r.keeper
    GROUP BY r.rule, r.severity, r.why, r.keeper
    UNION ALL
    SELECT 'file_function_reachable', 'critical', format('%s to %s', p.oid::regprocedure, g.name), 'It reads or writes files of the server.',
        format('REVOKE EXECUTE ON FUNCTION %s FROM %s', p.oid::regprocedure, g.name)
    FROM pg_proc p, LATERAL aclexplode(p.proacl) a JOIN tenancy.check_grantees() g ON g.role = a.grantee
    WHERE p.pronamespace = 'pg_catalog'::regnamespace AND g.name NOT LIKE 'pg\_%'
      AND p.proname ~ '^(pg_read_(binary_)?file|pg_ls_.*dir|pg_stat_file|lo_(import|export)|pg_file_.*|pg_logdir_ls|pg_current_logfile|pg_hba_file_rules|pg_show_all_file_settings)$';
END;
COMMENT ON FUNCTION tenancy.check_catalog_functions() IS
    'Internal: rules activity_visible to notify_function_open, one for each family of functions, and file_function_reachable';
REVOKE ALL ON FUNCTION tenancy.check_catalog_functions() FROM PUBLIC;

CREATE FUNCTION tenancy.check_settings() RETURNS SETOF tenancy.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH s AS ( -- the server's own; check_role_settings() has those of roles and databases
        SELECT p.name, p.reset_val AS value FROM pg_settings p WHERE p.source NOT IN ('database', 'user', 'database user', 'client')
    ),
    logging AS (SELECT FROM s WHERE s.name = 'log_statement' AND s.value IN ('mod', 'all')
        OR s.name IN ('log_min_duration_statement', 'log_min_duration_sample', 'auto_explain.log_min_duration') AND s.value <> '-1'
        OR s.name = 'log_transaction_sample_rate' AND s.value <> '0'
        OR s.name = 'log_duration' AND s.value = 'on')
    SELECT r.rule, r.severity, r.name || ' = ' || s.value, r.why, r.fix
    FROM s JOIN (VALUES
        ('module_not_preloaded', 'critical', 'shared_preload_libraries', '^(?!.*\mpg_tenancy\M)', 'The wall is not loaded in every session.', '-- add pg_tenancy to shared_preload_libraries and restart'),
        ('setting_row_security_off', 'high', 'row_security', '^off$', 'Every query on a protected table fails: sabotage of all tenants.', 'ALTER SYSTEM RESET row_security'),
        ('setting_replica_role', 'critical', 'session_replication_role', '^replica$', 'Triggers and foreign keys do not run.', 'ALTER SYSTEM RESET session_replication_role'),
        ('setting_context_scope', 'high', 'tenancy.context_scope', '^session$', 'A token outlives its transaction: a pooled connection hands one tenant''s context on.', 'ALTER SYSTEM RESET tenancy.context_scope'),
        ('setting_guard_off', 'high', 'tenancy.guard', '^off$', 'The guard against statements that cross tenants does not work.', 'ALTER SYSTEM RESET tenancy.guard'),
        ('large_objects_unchecked', 'high', 'lo_compat_privileges', '^on$', 'Large objects have no privileges at all.', 'ALTER SYSTEM RESET lo_compat_privileges'),
        ('system_tables_modifiable', 'medium', 'allow_system_table_mods', '^on$', 'The catalog can be changed behind every check.', 'ALTER SYSTEM RESET allow_system_table_mods'),
        ('prepared_transactions_on', 'medium', 'max_prepared_transactions', '^[1-9]', 'Any session of the application can end another''s prepared transaction, or use up all places.', 'ALTER SYSTEM SET max_prepared_transactions = 0'),
        ('password_encryption_md5', 'medium', 'password_encryption', '^md5$', 'An md5 password hash is as good as the password.', 'ALTER SYSTEM RESET password_encryption'),
        ('error_parameters_logged', 'medium', 'log_parameter_max_length_on_error', '^(?!0$)', 'A failing statement logs its parameters, the token among them.', 'ALTER SYSTEM SET log_parameter_max_length_on_error = 0')
    ) r (rule, severity, name, pattern, why, fix) ON r.name = s.name AND s.value ~ r.pattern
    UNION ALL
    SELECT 'statement_parameters_logged', 'medium', 'log_parameter_max_length = ' || s.value, 'Statements are logged with their parameters, the token among them.',
        'ALTER SYSTEM SET log_parameter_max_length = 0'
    FROM s WHERE s.name = 'log_parameter_max_length' AND s.value <> '0' AND EXISTS (SELECT FROM logging)
    UNION ALL
    SELECT 'statements_logged', 'low', 'log_statement, log_min_duration_statement', 'Tokens that somebody writes into statements are logged; bind parameters are not.',
        '-- log no statements, or keep the log as secret as the tokens' FROM s WHERE s.name = 'log_statement' AND EXISTS (SELECT FROM logging)
    UNION ALL
    SELECT 'connections_unencrypted', 'medium', 'listen_addresses = ' || l.value, 'It listens to the network without TLS: tokens and rows in the clear.', '-- set up certificates and ssl = on'
    FROM s l, s t WHERE l.name = 'listen_addresses' AND t.name = 'ssl' AND t.value = 'off' AND l.value !~ '^((localhost|127\.0\.0\.1|::1)(, *)?)*$'
    UNION ALL
    SELECT CASE WHEN h.type = 'local' THEN 'local_trust' ELSE 'network_trust' END, CASE WHEN h.type = 'local' THEN 'info' ELSE 'critical' END,
        format('pg_hba.conf line %s', h.line_number), 'Whoever gets there is any role it says it is, without a password.', '-- demand scram-sha-256 or a certificate there'
    FROM pg_hba_file_rules h WHERE h.auth_method = 'trust' AND (h.database && ARRAY['all', current_database()::text])
    UNION ALL
    SELECT 'server_outdated', 'high', current_setting('server_version'), 'A later minor release closes holes in row security (CVE-2026-14666, CVE-2025-8713, CVE-2024-10976).', '-- update PostgreSQL'
    FROM (SELECT current_setting('server_version_num')::int AS n) v
    WHERE v.n < 150019 OR v.n BETWEEN 160000 AND 160009 OR v.n BETWEEN 170000 AND 170005;
END;
COMMENT ON FUNCTION tenancy.check_settings() IS 'Internal: rules about settings, pg_hba.conf and the server''s version';
REVOKE ALL ON FUNCTION tenancy.check_settings() FROM PUBLIC;

-- Not a part of check_settings(): a server without the module, which has no such setting, cannot even plan the query.
CREATE FUNCTION tenancy.check_fips() RETURNS SETOF tenancy.finding
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_settings p WHERE p.name = 'tenancy.fips' AND p.setting = 'required') THEN
        RETURN QUERY SELECT 'fips_not_ready', 'high', 'tenancy.fips = required', 'Every token is refused. ' || c.problem,
            '-- openssl fipsinstall on this machine, name the configuration in tenancy.fips_config and restart'
        FROM tenancy.crypto_status() c WHERE NOT c.ready;
    END IF;
END;
$$;
COMMENT ON FUNCTION tenancy.check_fips() IS 'Internal: rule fips_not_ready';
REVOKE ALL ON FUNCTION tenancy.check_fips() FROM PUBLIC;
