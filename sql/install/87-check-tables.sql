-- Rules of check_isolation() about tables: which are behind the wall, and what else opens them.

CREATE FUNCTION tenancy.check_row_security(tables tenancy.checked_table[]) RETURNS SETOF tenancy.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH t AS (SELECT * FROM unnest(tables))
    SELECT CASE WHEN t.child THEN 'child_without_rls' ELSE 'table_without_rls' END,
        CASE WHEN t.reachable THEN 'critical' WHEN t.child THEN 'low' ELSE 'medium' END, t.name,
        CASE WHEN t.child THEN 'A partition or child of which rows are read directly without its parent''s policies.'
             WHEN EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = t.relation) THEN 'It has policies, but row security is off.'
             ELSE format('It has a tenant column, %s, and no row security.', t.tenant_column) END
            || CASE WHEN t.reachable THEN ' The application has privileges on it.' ELSE ' One GRANT opens it.' END,
        format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t.name)
    FROM t WHERE NOT t.rls AND (t.behind_wall OR EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = t.relation))
    UNION ALL
    SELECT 'table_without_forced_rls', 'high', t.name, 'Its owner, and every view and function of its owner, sees all tenants.',
        format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t.name)
    FROM t WHERE t.rls AND NOT t.forced
    UNION ALL
    SELECT 'tenant_column_missing', CASE WHEN t.reachable THEN 'high' ELSE 'low' END, t.name,
        'It has row security, but no column that says whose a row is.', '-- add a tenant column and policies, or turn row security off if the table is shared'
    FROM t WHERE t.rls AND t.tenant_column IS NULL
    UNION ALL
    SELECT 'tenant_column_nullable', 'medium', t.name, 'A row without a tenant is nobody''s: sessions without a tenant may find it.',
        format('ALTER TABLE %s ALTER COLUMN %s SET NOT NULL', t.name, t.tenant_column)
    FROM t JOIN pg_attribute a ON a.attrelid = t.relation AND a.attnum = t.tenant_attnum WHERE NOT a.attnotnull
    UNION ALL
    SELECT 'tenant_column_without_default', 'info', t.name, 'Each INSERT must name the tenant.',
        format('ALTER TABLE %s ALTER COLUMN %s SET DEFAULT tenancy.current_tenant()', t.name, t.tenant_column)
    FROM t JOIN pg_attribute a ON a.attrelid = t.relation AND a.attnum = t.tenant_attnum
    WHERE NOT a.atthasdef AND a.atttypid = 'text'::regtype AND NOT t.child
    UNION ALL
    SELECT 'tenant_column_loose_equality', 'critical', t.name, 'Under this collation or type two different tenant ids can be equal.',
        format('-- drop the policies, then ALTER TABLE %s ALTER COLUMN %s TYPE text COLLATE "C"', t.name, t.tenant_column)
    FROM t JOIN pg_attribute a ON a.attrelid = t.relation AND a.attnum = t.tenant_attnum
    LEFT JOIN pg_collation c ON c.oid = a.attcollation
    WHERE NOT c.collisdeterministic OR a.atttypid IN (SELECT y.oid FROM pg_type y WHERE y.typname = 'citext');
END;
COMMENT ON FUNCTION tenancy.check_row_security(tenancy.checked_table[]) IS
    'Internal: rules table_without_rls, child_without_rls, table_without_forced_rls, tenant_column_*';
REVOKE ALL ON FUNCTION tenancy.check_row_security(tenancy.checked_table[]) FROM PUBLIC;

CREATE FUNCTION tenancy.check_table_privileges(tables tenancy.checked_table[]) RETURNS SETOF tenancy.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH t AS (SELECT * FROM unnest(tables)),
    acl AS ( -- of tables and, as one text per privilege, of their columns
        SELECT c.oid, c.relnamespace, a.privilege_type AS privilege, a.privilege_type AS text, g.name AS grantee
        FROM pg_class c, LATERAL aclexplode(c.relacl) a JOIN tenancy.check_grantees() g ON g.role = a.grantee WHERE c.relkind IN ('r', 'p')
        UNION ALL
        SELECT c.oid, c.relnamespace, a.privilege_type, format('%s (%s)', a.privilege_type, string_agg(quote_ident(k.attname), ', ' ORDER BY k.attnum)), g.name
        FROM pg_class c JOIN pg_attribute k ON k.attrelid = c.oid AND k.attacl IS NOT NULL,
            LATERAL aclexplode(k.attacl) a JOIN tenancy.check_grantees() g ON g.role = a.grantee
        WHERE c.relkind IN ('r', 'p') GROUP BY c.oid, a.privilege_type, g.name
    )
    SELECT 'table_privilege_beyond_rows', p.severity, format('%s on %s to %s', a.privilege, t.name, a.grantee), p.why,
        format('REVOKE %s ON %s FROM %s', a.text, t.name, a.grantee)
    FROM t JOIN acl a ON a.oid = t.relation JOIN (VALUES
        ('TRUNCATE', 'critical', 'TRUNCATE removes the rows of all tenants; row security does not apply.'),
        ('TRIGGER', 'high', 'Its trigger would run with the rights, and the rows, of the next tenant that writes.'),
        ('REFERENCES', 'high', 'A foreign key to this table tells which ids exist and keeps others from deleting.'),
        ('MAINTAIN', 'medium', 'It can lock the table for everybody.')) p (privilege, severity, why) ON p.privilege = a.privilege
    WHERE t.behind_wall
    UNION ALL
    SELECT 'public_privilege', 'high', format('%s on %s', string_agg(DISTINCT a.privilege, ', ' ORDER BY a.privilege), t.name),
        'Every role of the cluster has it, also those that are no application.', format('REVOKE ALL ON %s FROM PUBLIC', t.name)
    FROM t JOIN acl a ON a.oid = t.relation AND a.grantee = 'PUBLIC' WHERE t.behind_wall GROUP BY t.name
    UNION ALL
    SELECT 'registry_exposed', CASE WHEN bool_or(a.privilege <> 'SELECT') THEN 'critical' ELSE 'high' END, format('%s to %s', a.oid::regclass, a.grantee),
        'Keys, tenants, limits and prices are for administrators only.', format('REVOKE ALL ON %s FROM %s', a.oid::regclass, a.grantee)
    FROM acl a WHERE a.relnamespace = 'tenancy'::regnamespace
      AND a.oid NOT IN (SELECT p.relation FROM tenancy.protected_tables p) GROUP BY a.oid, a.grantee
    UNION ALL
    SELECT 'registry_exposed', 'critical', format('%s to %s', p.oid::regprocedure, g.name), 'It is not among the functions of an application.',
        format('REVOKE EXECUTE ON ROUTINE %s FROM %s', p.oid::regprocedure, g.name)
    FROM pg_proc p, LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a JOIN tenancy.check_grantees() g ON g.role = a.grantee
    WHERE p.pronamespace IN ('tenancy'::regnamespace, 'agent'::regnamespace)
      AND (a.grantee = 0 OR p.oid NOT IN (SELECT v.object::regprocedure FROM tenancy.app_privileges() v WHERE v.kind = 'function'))
    UNION ALL
    SELECT 'shared_table_writable', 'high', format('%s to %s', t.name, a.grantee), 'A table of no tenant that any tenant''s session changes for all.',
        format('REVOKE %s ON %s FROM %s', string_agg(DISTINCT a.text, ', '), t.name, a.grantee)
    FROM t JOIN acl a ON a.oid = t.relation AND a.privilege <> 'SELECT' WHERE NOT t.behind_wall GROUP BY t.name, a.grantee
    UNION ALL
    SELECT CASE WHEN c.names IS NULL THEN 'shared_table_readable' ELSE 'sensitive_column_readable' END,
        CASE WHEN c.names IS NULL THEN 'info' ELSE 'high' END, format('%s to %s', t.name, a.grantee),
        'A table of no tenant, readable in every tenant''s session' || coalesce(', with columns named ' || c.names, '') || '.',
        format('REVOKE %s ON %s FROM %s', string_agg(DISTINCT a.text, ', '), t.name, a.grantee)
    FROM t JOIN acl a ON a.oid = t.relation AND a.privilege = 'SELECT' CROSS JOIN LATERAL (
        SELECT string_agg(quote_ident(k.attname), ', ' ORDER BY k.attnum) AS names FROM pg_attribute k WHERE k.attrelid = t.relation AND k.attnum > 0
          AND k.attname ~* '(password|passwd|secret|api_?key|private_?key|token|ssn|tax_?id|credit_?card|iban|email|phone)') c
    WHERE NOT t.behind_wall GROUP BY t.name, a.grantee, c.names;
END;
COMMENT ON FUNCTION tenancy.check_table_privileges(tenancy.checked_table[]) IS
    'Internal: rules table_privilege_beyond_rows, public_privilege, registry_exposed, shared_table_*, sensitive_column_readable';
REVOKE ALL ON FUNCTION tenancy.check_table_privileges(tenancy.checked_table[]) FROM PUBLIC;

CREATE FUNCTION tenancy.check_side_doors(tables tenancy.checked_table[]) RETURNS SETOF tenancy.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH t AS (SELECT * FROM unnest(tables) WHERE behind_wall)
    SELECT 'table_rule', 'high', format('%s on %s', quote_ident(w.rulename), t.name), 'What a rule does runs with the rights of the table''s owner.',
        format('DROP RULE %I ON %s', w.rulename, t.name)
    FROM t JOIN pg_rewrite w ON w.ev_class = t.relation
    UNION ALL
    SELECT 'trigger_of_another_owner', CASE WHEN k.role IS NOT NULL THEN 'critical' ELSE 'high' END, format('%I on %s', g.tgname, t.name),
        format('It runs code of role %I in the sessions of all tenants.', pg_get_userbyid(p.proowner)), format('DROP TRIGGER %I ON %s', g.tgname, t.name)
    FROM t JOIN pg_trigger g ON g.tgrelid = t.relation AND NOT g.tgisinternal JOIN pg_proc p ON p.oid = g.tgfoid
    JOIN pg_roles o ON o.oid = p.proowner LEFT JOIN tenancy.check_app_roles() k ON k.role = p.proowner
    WHERE p.proowner <> t.owner AND NOT o.rolsuper
    UNION ALL
    SELECT 'trigger_writes_elsewhere', 'medium', format('%I on %s', g.tgname, t.name),
        'A SECURITY DEFINER trigger: what it writes must be a table of tenants, or it carries rows out of the wall.', format('DROP TRIGGER %I ON %s', g.tgname, t.name)
    FROM t JOIN pg_trigger g ON g.tgrelid = t.relation AND NOT g.tgisinternal JOIN pg_proc p ON p.oid = g.tgfoid
    WHERE p.prosecdef AND p.pronamespace NOT IN ('tenancy'::regnamespace, 'agent'::regnamespace)
    UNION ALL
    SELECT 'own_trigger_disabled', 'high', format('%I on %s', g.tgname, g.tgrelid::regclass), 'A trigger of the wall or its ledger does not fire.',
        format('ALTER TABLE %s ENABLE %sTRIGGER %I', g.tgrelid::regclass, CASE g.tgname WHEN 'registry_changed' THEN 'ALWAYS ' ELSE '' END, g.tgname)
    FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
    WHERE g.tgenabled = 'D' AND c.relnamespace IN ('tenancy'::regnamespace, 'agent'::regnamespace)
    UNION ALL
    SELECT 'own_trigger_disabled', 'high', quote_ident(e.evtname), 'New partitions and tables are not put behind the wall.', format('ALTER EVENT TRIGGER %I ENABLE', e.evtname)
    FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid WHERE e.evtenabled = 'D' AND p.pronamespace = 'tenancy'::regnamespace
    UNION ALL
    SELECT 'table_in_publication', 'medium', format('%I, %s', p.pubname, t.name), 'Subscribers get the rows of all tenants.',
        CASE WHEN p.puballtables OR r.prrelid IS NULL THEN format('DROP PUBLICATION %I', p.pubname)
             ELSE format('ALTER PUBLICATION %I DROP TABLE %s', p.pubname, t.name) END
    FROM t JOIN pg_class c ON c.oid = t.relation CROSS JOIN pg_publication p
    LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = t.relation
    LEFT JOIN pg_publication_namespace n ON n.pnpubid = p.oid AND n.pnnspid = c.relnamespace
    WHERE p.puballtables OR r.prrelid IS NOT NULL OR n.pnnspid IS NOT NULL
    UNION ALL
    SELECT 'extended_statistics', 'low', s.name, 'The planner''s estimates for it come from the rows of all tenants.', 'DROP STATISTICS ' || s.name
    FROM t JOIN (SELECT x.stxrelid, format('%I.%I', n.nspname, x.stxname) AS name FROM pg_statistic_ext x JOIN pg_namespace n ON n.oid = x.stxnamespace) s
      ON s.stxrelid = t.relation
    UNION ALL
    SELECT 'foreign_table_reachable', 'critical', format('%s to %s', c.oid::regclass, g.name), 'Row security is not possible on a foreign table.',
        format('REVOKE ALL ON %s FROM %s', c.oid::regclass, g.name)
    FROM pg_class c, LATERAL aclexplode(c.relacl) a JOIN tenancy.check_grantees() g ON g.role = a.grantee WHERE c.relkind = 'f' GROUP BY c.oid, g.name;
END;
COMMENT ON FUNCTION tenancy.check_side_doors(tenancy.checked_table[]) IS
    'Internal: rules table_rule, trigger_*, own_trigger_disabled, table_in_publication, extended_statistics, foreign_table_reachable';
REVOKE ALL ON FUNCTION tenancy.check_side_doors(tenancy.checked_table[]) FROM PUBLIC;
