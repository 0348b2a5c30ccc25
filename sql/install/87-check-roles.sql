-- Rules of check_isolation() about roles: what lets a role walk around the wall or harm the other tenants.

CREATE FUNCTION tenancy.check_role_attributes(tables tenancy.checked_table[]) RETURNS SETOF tenancy.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 'app_role_bypasses_rls', 'critical', quote_ident(r.rolname),
        format('An application role with %s: row security does not apply to it.', a.attribute),
        format('ALTER ROLE %I NO%s', r.rolname, a.attribute)
    FROM pg_roles r JOIN tenancy.check_app_roles() k ON k.role = r.oid,
        LATERAL (VALUES (r.rolsuper, 'SUPERUSER'), (r.rolbypassrls, 'BYPASSRLS')) a (held, attribute) WHERE a.held
    UNION ALL
    SELECT 'app_role_attribute', a.severity, quote_ident(r.rolname), format('An application role with %s %s.', a.attribute, a.why),
        format('ALTER ROLE %I NO%s', r.rolname, a.attribute)
    FROM pg_roles r JOIN tenancy.check_app_roles() k ON k.role = r.oid, LATERAL (VALUES
        (r.rolcreaterole, 'critical', 'CREATEROLE', 'can give itself membership in, or new passwords of, other roles'),
        (r.rolreplication, 'critical', 'REPLICATION', 'can stream every row of the cluster'),
        (r.rolcreatedb, 'medium', 'CREATEDB', 'can fill the disk with copies of databases')) a (held, severity, attribute, why) WHERE a.held
    UNION ALL
    -- A membership counts as what can be reached through it.
    SELECT 'app_role_membership', coalesce(max(b.severity), 'low'), quote_ident(m.rolname),
        format('It can become %s%s.', quote_ident(g.rolname), coalesce(': ' || string_agg(DISTINCT b.why, ', ' ORDER BY b.why), '')),
        format('REVOKE %I FROM %I', g.rolname, m.rolname)
    FROM pg_auth_members am JOIN pg_roles m ON m.oid = am.member JOIN pg_roles g ON g.oid = am.roleid
    JOIN tenancy.check_app_roles() k ON k.role = m.oid
    LEFT JOIN LATERAL (
        SELECT 'critical' AS severity, quote_ident(r.rolname) || w.why AS why FROM pg_roles r, LATERAL (VALUES
            (r.rolsuper OR r.rolbypassrls, ' is not subject to row security'), (r.rolcreaterole, ' can create roles'),
            (r.rolreplication, ' can replicate'), (r.rolname ~ '^pg_', ' is predefined and crosses tenants'),
            (EXISTS (SELECT FROM unnest(tables) t WHERE t.owner = r.oid AND t.behind_wall), ' owns protected tables')) w (held, why)
        WHERE w.held AND pg_has_role(g.oid, r.oid, 'MEMBER') AND (NOT g.rolsuper OR r.oid = g.oid)) b ON true
    -- Belonging to an application role makes a role one; that is no way out.
    WHERE b.why IS NOT NULL OR g.oid NOT IN (SELECT o.role FROM tenancy.check_app_roles() o)
    GROUP BY m.rolname, g.rolname;
END;
COMMENT ON FUNCTION tenancy.check_role_attributes(tenancy.checked_table[]) IS 'Internal: rules app_role_bypasses_rls, app_role_attribute, app_role_membership';
REVOKE ALL ON FUNCTION tenancy.check_role_attributes(tenancy.checked_table[]) FROM PUBLIC;

CREATE FUNCTION tenancy.check_role_owners(tables tenancy.checked_table[]) RETURNS SETOF tenancy.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 'app_role_owns_objects', 'critical', quote_ident(r.rolname),
        format('It owns %s objects here, such as %s: an owner alters, drops and grants.', count(*),
               min(pg_describe_object(d.classid, d.objid, d.objsubid))),
        format('REASSIGN OWNED BY %I TO %I', r.rolname, (SELECT pg_get_userbyid(e.extowner) FROM pg_extension e WHERE e.extname = 'pg_tenancy'))
    FROM tenancy.check_app_roles() k JOIN pg_roles r ON r.oid = k.role
    JOIN pg_shdepend d ON d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid AND d.deptype = 'o'
    JOIN pg_database b ON b.datname = current_database() AND (d.dbid = b.oid OR d.dbid = 0 AND d.classid = 'pg_database'::regclass AND d.objid = b.oid)
    WHERE NOT r.rolsuper AND NOT (d.classid = 'pg_class'::regclass AND EXISTS (
        SELECT FROM pg_class c WHERE c.oid = d.objid AND c.relpersistence = 't'))
    GROUP BY r.rolname
    UNION ALL
    SELECT 'owner_logs_in', 'medium', quote_ident(r.rolname),
        format('Owner of %s protected tables, such as %s, and it can log in: one ALTER TABLE of its own takes the wall down.', count(*), min(t.name)),
        format('ALTER ROLE %I NOLOGIN', r.rolname)
    FROM pg_roles r JOIN unnest(tables) t ON t.owner = r.oid AND t.behind_wall
    WHERE r.rolcanlogin AND NOT r.rolsuper AND r.oid NOT IN (SELECT k.role FROM tenancy.check_app_roles() k) GROUP BY r.rolname
    UNION ALL
    SELECT 'role_bypasses_rls', 'info', quote_ident(r.rolname),
        'It logs in and sees all tenants: right for backups, wrong for everything else.', format('ALTER ROLE %I NOBYPASSRLS', r.rolname)
    FROM pg_roles r WHERE r.rolcanlogin AND r.rolbypassrls AND NOT r.rolsuper
      AND r.oid NOT IN (SELECT k.role FROM tenancy.check_app_roles() k)
    UNION ALL
    SELECT 'app_role_password_md5', 'medium', quote_ident(a.rolname), 'An md5 password hash is as good as the password.',
        format('-- \password %s, with password_encryption = ''scram-sha-256''', quote_ident(a.rolname))
    FROM pg_authid a JOIN tenancy.check_app_roles() k ON k.role = a.oid WHERE a.rolpassword LIKE 'md5%'
    UNION ALL
    SELECT 'app_role_unlimited_connections', 'info', quote_ident(r.rolname),
        'One tenant''s sessions can take every connection of the server.', format('ALTER ROLE %I CONNECTION LIMIT 100', r.rolname)
    FROM pg_roles r JOIN tenancy.check_app_roles() k ON k.role = r.oid WHERE r.rolconnlimit < 0 AND r.rolcanlogin;
END;
COMMENT ON FUNCTION tenancy.check_role_owners(tenancy.checked_table[]) IS
    'Internal: rules app_role_owns_objects, owner_logs_in, role_bypasses_rls, app_role_password_md5, app_role_unlimited_connections';
REVOKE ALL ON FUNCTION tenancy.check_role_owners(tenancy.checked_table[]) FROM PUBLIC;

-- What a session of the application starts with: ALTER ROLE SET, ALTER DATABASE SET, GRANT SET ON PARAMETER.
CREATE FUNCTION tenancy.check_role_settings() RETURNS SETOF tenancy.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH setting AS (
        SELECT lower(split_part(c, '=', 1)) AS name, substr(c, strpos(c, '=') + 1) AS value, s.setrole, s.setdatabase,
            CASE WHEN s.setrole = 0 THEN coalesce('ALTER DATABASE ' || quote_ident(d.datname), 'ALTER ROLE ALL')
                 ELSE format('ALTER ROLE %I', pg_get_userbyid(s.setrole)) || coalesce(' IN DATABASE ' || quote_ident(d.datname), '') END AS of
        FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c
        WHERE (s.setdatabase = 0 OR d.datname = current_database())
          AND (s.setrole = 0 OR s.setrole IN (SELECT k.role FROM tenancy.check_app_roles() k))
    )
    SELECT r.rule, r.severity, s.of || ' SET ' || s.name, r.why, s.of || ' RESET ' || s.name
    FROM setting s JOIN (VALUES
        ('setting_row_security_off', 'high', '^row_security$', '^(off|false|no|0)$', 'Every query on a protected table fails: sabotage of all tenants.'),
        ('setting_replica_role', 'critical', '^session_replication_role$', '^replica$', 'Triggers and foreign keys do not run in the application''s sessions.'),
        ('setting_context_scope', 'high', '^tenancy\.context_scope$', '^session$',
            'A token outlives its transaction: a pooled connection hands one tenant''s context to the next request.'),
        ('setting_guard_off', 'high', '^tenancy\.guard$', '^"?off"?$', 'The guard against statements that cross tenants does not work for it.'),
        ('setting_guard_lifted', 'low', '^tenancy\.guard$', '^(?!"?(on|off)"?$)', 'A part of the guard against statements that cross tenants is lifted for it.'),
        ('setting_search_path', 'medium', '^search_path$', 'pg_temp(?!\W*$)', 'Temporary objects are found before others: names can be shadowed.'),
        ('setting_denies_service', 'medium', '^(default_transaction_read_only|statement_timeout|lock_timeout|idle_in_transaction_session_timeout|transaction_timeout)$',
            '^(on|true|yes|1|\d|\d\d|[0-9]+ ?(ms|us))$', 'Any session may have set this for the role, and it hits all tenants.'),
        ('secret_in_setting', 'medium', '\..*(secret|password|passwd|private_?key|api_?key|jwt|token)', '.', 'Settings of roles and databases can be read by everybody.')
    ) r (rule, severity, name, value, why) ON s.name ~ r.name AND s.value ~* r.value
    WHERE NOT (r.rule = 'setting_denies_service' AND s.value IN ('0', '0ms'))
    UNION ALL
    SELECT 'parameter_granted', CASE WHEN a.privilege_type = 'ALTER SYSTEM' OR p.parname ~ '^(session_replication_role|tenancy\.)'
        THEN 'critical' ELSE 'high' END, p.parname || ' to ' || g.name,
        'A setting that only superusers change, granted to the application.', format('REVOKE %s ON PARAMETER %s FROM %s', a.privilege_type, p.parname, g.name)
    FROM pg_parameter_acl p, LATERAL aclexplode(p.paracl) a JOIN tenancy.check_grantees() g ON g.role = a.grantee;
END;
COMMENT ON FUNCTION tenancy.check_role_settings() IS 'Internal: rules setting_*, secret_in_setting, parameter_granted; values are never shown';
REVOKE ALL ON FUNCTION tenancy.check_role_settings() FROM PUBLIC;

-- What bounds one session of the application. What any session can set for itself bounds honest ones only.
CREATE FUNCTION tenancy.check_role_limits() RETURNS SETOF tenancy.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH setting AS ( -- as a session begins: by role and database, role, database, all roles, server
        SELECT r.rolname AS role_name, n.name, n.unlimited, coalesce(
            (SELECT substr(c, strpos(c, '=') + 1)
             FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c
             WHERE s.setrole IN (0, r.oid) AND (s.setdatabase = 0 OR d.datname = current_database())
               AND lower(split_part(c, '=', 1)) = n.name
             ORDER BY s.setrole = 0, s.setdatabase = 0 LIMIT 1),
            (SELECT CASE WHEN p.source IN ('database', 'user', 'database user', 'client') THEN p.boot_val ELSE p.reset_val END
             FROM pg_settings p WHERE p.name = n.name)) AS value
        FROM pg_roles r JOIN tenancy.check_app_roles() k ON k.role = r.oid, (VALUES
            ('temp_file_limit', '^-'), ('tenancy.max_transaction_time', '^0+ ?[a-z]*$'), ('statement_timeout', '^0+ ?[a-z]*$'),
            ('idle_in_transaction_session_timeout', '^0+ ?[a-z]*$')) n (name, unlimited)
        WHERE r.rolcanlogin AND NOT r.rolsuper
    ), role AS (
        SELECT s.role_name, array_agg(s.name) AS lacks FROM setting s WHERE s.value ~ s.unlimited GROUP BY s.role_name
    )
    SELECT 'app_role_unlimited_temp_files', 'medium', quote_ident(r.role_name),
        'One query of one tenant can fill the disk that all of them share.', format('ALTER ROLE %I SET temp_file_limit = ''1GB''', r.role_name)
    FROM role r WHERE 'temp_file_limit' = ANY (r.lacks)
    UNION ALL
    SELECT 'app_role_unlimited_transaction', CASE WHEN l.only_own THEN 'low' ELSE 'medium' END, quote_ident(r.role_name),
        'A transaction of one tenant that stays open keeps dead rows of all tenants on the disk, and their audit logs unsealed.'
            || CASE WHEN l.only_own THEN ' The time limits it has are such as every session can lift.' ELSE '' END,
        format('ALTER ROLE %I SET tenancy.max_transaction_time = ''60s''', r.role_name)
    FROM role r, LATERAL (SELECT NOT r.lacks && '{statement_timeout,idle_in_transaction_session_timeout}' AS only_own) l
    WHERE 'tenancy.max_transaction_time' = ANY (r.lacks);
END;
COMMENT ON FUNCTION tenancy.check_role_limits() IS 'Internal: rules app_role_unlimited_temp_files, app_role_unlimited_transaction';
REVOKE ALL ON FUNCTION tenancy.check_role_limits() FROM PUBLIC;
