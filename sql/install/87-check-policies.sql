-- Rules of check_isolation() about policies: whether the tenant's is there and nothing widens it.

CREATE FUNCTION tenancy.check_walls(tables tenancy.checked_table[], policies tenancy.checked_policy[]) RETURNS SETOF tenancy.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH t AS (SELECT * FROM unnest(tables) WHERE rls AND tenant_column IS NOT NULL),
    s AS (SELECT * FROM unnest(policies)),
    wall AS (
        SELECT t.*, format('CREATE POLICY tenant_wall ON %1$s AS RESTRICTIVE FOR ALL USING (%2$s = (SELECT tenancy.current_tenant()%3$s)) '
            'WITH CHECK (%2$s = (SELECT tenancy.current_tenant()%3$s))', t.name, t.tenant_column,
            CASE WHEN a.atttypid = 'text'::regtype THEN '' ELSE '::' || format_type(a.atttypid, NULL) END) AS statement
        FROM t JOIN pg_attribute a ON a.attrelid = t.relation AND a.attnum = t.tenant_attnum
    )
    SELECT 'tenant_wall_missing', CASE WHEN bool_or(s.permissive AND NOT (s.qual_ok AND s.check_ok)) AND w.reachable THEN 'critical'
             WHEN count(s.policy) = 0 THEN 'low' ELSE 'high' END, w.name,
        CASE WHEN count(s.policy) = 0 THEN 'No policy: nobody reads or writes it.'
             WHEN bool_or(s.permissive AND NOT (s.qual_ok AND s.check_ok)) THEN 'A permissive policy lets through more than the tenant''s rows: policies are joined by OR.'
             ELSE 'No RESTRICTIVE policy: the next permissive one that is added opens the table, as they are joined by OR.' END, w.statement
    FROM wall w LEFT JOIN s ON s.relation = w.relation
    WHERE NOT w.has_wall GROUP BY w.name, w.reachable, w.statement
    HAVING count(*) FILTER (WHERE NOT s.permissive AND (s.qual_ok OR s.check_ok)) = 0
    UNION ALL
    -- There is a wall, with a gap; the wall that is put in its place has none.
    SELECT CASE WHEN NOT s.everyone THEN 'tenant_wall_for_some_roles' WHEN s.command <> '*' THEN 'tenant_wall_for_some_commands' ELSE 'tenant_wall_without_check' END,
        'critical', format('%s on %s', s.name, w.name),
        CASE WHEN NOT s.everyone THEN 'It holds for some roles only.' WHEN s.command <> '*' THEN 'It holds for some commands only.'
             ELSE 'Reading is walled, writing into another tenant is not, or the other way round.' END,
        format('DROP POLICY %s ON %s; %s', s.name, w.name, replace(w.statement, 'POLICY tenant_wall', 'POLICY ' || s.name))
    FROM wall w JOIN s ON s.relation = w.relation WHERE NOT w.has_wall AND NOT s.permissive AND (s.qual_ok OR s.check_ok)
    UNION ALL
    SELECT 'table_without_permissive_policy', 'info', w.name, 'RESTRICTIVE policies alone let nothing through: nobody reads or writes it.',
        format('CREATE POLICY tenant_rows ON %s USING (true) WITH CHECK (true)', w.name)
    FROM wall w WHERE EXISTS (SELECT FROM s WHERE s.relation = w.relation) AND NOT EXISTS (SELECT FROM s WHERE s.relation = w.relation AND s.permissive)
    UNION ALL
    SELECT 'multiple_permissive_policies', 'info', w.name, format('%s permissive policies, joined by OR, each evaluated for each row.', count(*)),
        '-- join them into one'
    FROM wall w JOIN s ON s.relation = w.relation AND s.permissive AND s.everyone AND s.command = '*' GROUP BY w.name HAVING count(*) > 1
    UNION ALL
    SELECT 'policy_duplicate', 'info', format('%s on %s', s.name, w.name), format('The same as policy %s.', o.name), format('DROP POLICY %s ON %s', s.name, w.name)
    FROM wall w JOIN s ON s.relation = w.relation JOIN s o ON o.relation = s.relation AND o.policy < s.policy
      AND (o.permissive, o.command, o.everyone, o.qual, o.chk) IS NOT DISTINCT FROM (s.permissive, s.command, s.everyone, s.qual, s.chk)
    WHERE s.everyone;
END;
COMMENT ON FUNCTION tenancy.check_walls(tenancy.checked_table[], tenancy.checked_policy[]) IS
    'Internal: rules tenant_wall_*, table_without_permissive_policy, multiple_permissive_policies, policy_duplicate';
REVOKE ALL ON FUNCTION tenancy.check_walls(tenancy.checked_table[], tenancy.checked_policy[]) FROM PUBLIC;

CREATE FUNCTION tenancy.check_policy_text(tables tenancy.checked_table[], policies tenancy.checked_policy[]) RETURNS SETOF tenancy.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH s AS (
        SELECT p.*, t.has_wall, concat_ws(' ', p.qual, p.chk) AS body,
            format('%s on %s', p.name, t.name) AS object, format('DROP POLICY %s ON %s', p.name, t.name) AS remove
        FROM unnest(policies) p JOIN unnest(tables) t ON t.relation = p.relation
    )
    SELECT 'policy_trusts_setting', CASE WHEN s.has_wall THEN 'medium' ELSE 'critical' END, s.object,
        'It believes a setting, which any SQL of the application can change.', s.remove
    FROM s WHERE s.body ~ '\mcurrent_setting\('
    UNION ALL
    SELECT 'policy_trusts_role', CASE WHEN s.has_wall THEN 'low' ELSE 'high' END, s.object,
        'It takes the tenant from the role; SET ROLE changes it, and pools share it.', s.remove
    FROM s WHERE s.body ~* '\m(CURRENT_USER|SESSION_USER|CURRENT_ROLE)\M'
    UNION ALL
    SELECT 'policy_trusts_user_metadata', CASE WHEN s.has_wall THEN 'medium' ELSE 'critical' END, s.object,
        'It believes claims that users can edit themselves.', s.remove
    FROM s WHERE s.body ~ '(user_metadata|raw_user_meta_data)'
    UNION ALL
    SELECT 'policy_admits_null', CASE WHEN s.has_wall THEN 'low' ELSE 'high' END, s.object,
        'It lets rows through whose tenant, or whose reader, is NULL.', s.remove
    FROM s WHERE s.body ~ '(IS DISTINCT FROM|IS NULL|COALESCE\()' AND s.permissive
    UNION ALL
    SELECT 'policy_per_row', 'low', s.object,
        'current_tenant() is called for each row, after the query''s own leakproof conditions: slow, and their time tells of other tenants'' rows.',
        '-- write it as (SELECT tenancy.current_tenant()); leave it on Citus'' distributed tables, which need this form'
    FROM s WHERE (s.qual_ok OR s.check_ok) AND s.body !~ 'SELECT \(?tenancy\.current_tenant'
    UNION ALL
    SELECT 'policy_reads_table', 'medium', s.object,
        format('It reads %s with the reader''s rights: recursion, shadowed names and slow scans.', string_agg(DISTINCT d.refobjid::regclass::text, ', ')), s.remove
    FROM s JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = s.policy AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> s.relation
    GROUP BY s.object, s.remove;
END;
COMMENT ON FUNCTION tenancy.check_policy_text(tenancy.checked_table[], tenancy.checked_policy[]) IS 'Internal: rules policy_trusts_*, policy_admits_null, policy_per_row, policy_reads_table';
REVOKE ALL ON FUNCTION tenancy.check_policy_text(tenancy.checked_table[], tenancy.checked_policy[]) FROM PUBLIC;

CREATE FUNCTION tenancy.check_policy_functions() RETURNS SETOF tenancy.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH used AS (
        SELECT DISTINCT p.oid, p.oid::regprocedure AS name, p.provolatile, p.pronargs, p.prosqlbody, l.lanname, p.proconfig
        FROM pg_policy o JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = o.oid AND d.refclassid = 'pg_proc'::regclass
        JOIN pg_proc p ON p.oid = d.refobjid JOIN pg_language l ON l.oid = p.prolang
        WHERE p.pronamespace NOT IN ('tenancy'::regnamespace, 'pg_catalog'::regnamespace)
    )
    SELECT 'policy_function_volatility', CASE u.provolatile WHEN 'i' THEN 'high' ELSE 'medium' END, u.name::text,
        CASE u.provolatile WHEN 'i' THEN 'IMMUTABLE and without arguments: a kept plan gives one tenant the rows of another.'
             ELSE 'VOLATILE in a policy: it may answer differently within one statement.' END, format('ALTER FUNCTION %s STABLE', u.name)
    FROM used u WHERE u.provolatile = 'v' OR u.provolatile = 'i' AND u.pronargs = 0
    UNION ALL
    SELECT 'policy_function_body', 'high', u.name::text, 'Its body is looked up by the search_path of whoever reads the table.',
        format('ALTER FUNCTION %s SET search_path = pg_catalog, pg_temp', u.name)
    FROM used u WHERE u.lanname NOT IN ('c', 'internal') AND u.prosqlbody IS NULL
      AND NOT EXISTS (SELECT FROM unnest(u.proconfig) c WHERE c ~ '^search_path=.*pg_temp"?$')
    UNION ALL
    SELECT 'leakproof_function', 'high', p.oid::regprocedure::text,
        'Said to be LEAKPROOF, it sees rows before the wall does; PostgreSQL trusts the word.', format('ALTER FUNCTION %s NOT LEAKPROOF', p.oid::regprocedure)
    FROM pg_proc p WHERE p.proleakproof AND (p.pronamespace <> 'pg_catalog'::regnamespace
        OR p.proname ~ '(like|regex(eq|ne)$|^jsonb_|^array)'); -- advice on the web, and wrong: see 86-leakproof.sql
END;
COMMENT ON FUNCTION tenancy.check_policy_functions() IS 'Internal: rules policy_function_volatility, policy_function_body, leakproof_function';
REVOKE ALL ON FUNCTION tenancy.check_policy_functions() FROM PUBLIC;
