-- What check_isolation() looks at: who stands before the wall, which tables are behind it, and which
-- policies are the wall. The rules are in 87-check-*.sql, one family a file; 88 puts them together.

CREATE TYPE tenancy.finding AS (rule text, severity text, object text, why text, fix text);
COMMENT ON TYPE tenancy.finding IS
    'One hole: stable name of the rule, severity (critical, high, medium, low, info), the object, why it matters, and the '
    'statement that closes it. A fix that starts with -- needs a person';

-- Policies and tables are read once and handed to the rules as arrays: deparsing thousands of policies is
-- what takes the time.
CREATE TYPE tenancy.checked_policy AS (policy oid, relation oid, name text, permissive boolean, command "char", everyone boolean,
    qual text, chk text, qual_column text, qual_ok boolean, check_ok boolean);
COMMENT ON TYPE tenancy.checked_policy IS 'Internal: a policy, its expressions as text, and the column that it compares with current_tenant()';
CREATE TYPE tenancy.checked_table AS (relation oid, name text, owner oid, rls boolean, forced boolean, child boolean, has_wall boolean,
    reachable boolean, tenant_column text, tenant_attnum int2, behind_wall boolean);
COMMENT ON TYPE tenancy.checked_table IS 'Internal: a table, whether the application reaches it, and whether it is or ought to be behind the wall';

-- A role is an application role by tenancy.grant_app(), or because it may set a tenant.
CREATE FUNCTION tenancy.check_app_roles() RETURNS TABLE (role oid, role_name name)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH named AS (
        SELECT r.oid FROM pg_roles r JOIN tenancy.app_roles a ON a.role_name = r.rolname
        UNION
        SELECT a.grantee FROM pg_proc p, LATERAL aclexplode(p.proacl) a
        WHERE p.oid IN ('tenancy.set_tenant_from_jwt(text)'::regprocedure,
                        'agent.call(text, text, jsonb, jsonb, bytea)'::regprocedure)
          AND a.grantee NOT IN (0, p.proowner)
    )
    SELECT r.oid, r.rolname FROM pg_roles r
    WHERE r.oid IN (SELECT n.oid FROM named n)
       OR NOT r.rolsuper AND EXISTS (SELECT FROM named n WHERE pg_has_role(r.oid, n.oid, 'MEMBER'));
END;
COMMENT ON FUNCTION tenancy.check_app_roles() IS
    'Internal: application roles, and the roles that can act as one';
REVOKE ALL ON FUNCTION tenancy.check_app_roles() FROM PUBLIC;

CREATE FUNCTION tenancy.check_grantees() RETURNS TABLE (role oid, name text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 0::oid, 'PUBLIC'
    UNION ALL
    SELECT r.oid, quote_ident(r.rolname) FROM pg_roles r
    WHERE NOT r.rolsuper AND EXISTS (
        SELECT FROM tenancy.check_app_roles() a JOIN pg_roles o ON o.oid = a.role
        WHERE NOT o.rolsuper AND pg_has_role(a.role, r.oid, 'MEMBER'));
END;
COMMENT ON FUNCTION tenancy.check_grantees() IS
    'Internal: whose privileges the application has: PUBLIC, its roles and all they are members of; superusers have a finding of their own';
REVOKE ALL ON FUNCTION tenancy.check_grantees() FROM PUBLIC;

-- Policies, and whether each is the tenant's: pg_get_expr() names everything outside pg_catalog by its
-- schema here, so "=" is PostgreSQL's and current_tenant() is ours. More conditions may be ANDed.
CREATE FUNCTION tenancy.check_policies() RETURNS SETOF tenancy.checked_policy
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH wall AS (
        SELECT format('^\(?\(\(?("[^"]+"|[a-z_][a-z0-9_$]*)(?:\)::text)? = (?:%s|%s|\(%2$s\)::\w+)\)(?:$| AND )',
            '\( SELECT \(?tenancy\.current_tenant\(\)(?:\)::\w+)? AS current_tenant\)(?:::\w+)?', 'tenancy\.current_tenant\(\)') AS form
    ), text AS MATERIALIZED (
        SELECT p.*, pg_get_expr(p.polqual, p.polrelid) AS qual, pg_get_expr(p.polwithcheck, p.polrelid) AS chk FROM pg_policy p
    ), form AS ( -- few texts, many tables
        SELECT d.body, substring(d.body, w.form) AS tenant_column FROM (SELECT t.qual FROM text t UNION SELECT t.chk FROM text t) d (body), wall w
    )
    SELECT t.oid, t.polrelid, quote_ident(t.polname), t.polpermissive, t.polcmd, t.polroles = '{0}', t.qual, t.chk, q.tenant_column,
        q.tenant_column IS NOT NULL, k.tenant_column IS NOT NULL AND (q.tenant_column IS NULL OR k.tenant_column = q.tenant_column)
    FROM text t LEFT JOIN form q ON q.body = t.qual LEFT JOIN form k ON k.body = coalesce(t.chk, t.qual);
END;
COMMENT ON FUNCTION tenancy.check_policies() IS 'Internal: every policy, and whether it compares the tenant column with current_tenant()';
REVOKE ALL ON FUNCTION tenancy.check_policies() FROM PUBLIC;

-- The tenant column is what a tenant policy compares, or else one that is named tenant_id. Those tables
-- of schema tenancy that are not protected are nobody's but the owner's; rule registry_exposed sees to that.
CREATE FUNCTION tenancy.check_tables(policies tenancy.checked_policy[]) RETURNS SETOF tenancy.checked_table
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH wall AS (
        SELECT p.relation, min(p.qual_column) AS tenant_column, bool_or(NOT p.permissive AND p.command = '*' AND p.everyone AND p.qual_ok AND p.check_ok) AS whole
        FROM unnest(policies) p GROUP BY p.relation
    ), granted AS (
        SELECT DISTINCT u.oid FROM (
            SELECT c.oid, a.grantee FROM pg_class c, LATERAL aclexplode(c.relacl) a
            UNION ALL SELECT t.attrelid, a.grantee FROM pg_attribute t, LATERAL aclexplode(t.attacl) a) u
        JOIN tenancy.check_grantees() g ON g.role = u.grantee
    )
    SELECT c.oid, format('%I.%I', n.nspname, c.relname), c.relowner, c.relrowsecurity, c.relforcerowsecurity, i.inhrelid IS NOT NULL,
        coalesce(w.whole, false), g.oid IS NOT NULL, quote_ident(k.attname), k.attnum, c.relrowsecurity OR k.attnum IS NOT NULL OR n.nspname = 'agent' OR r.relation IS NOT NULL
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN (SELECT DISTINCT h.inhrelid FROM pg_inherits h) i ON i.inhrelid = c.oid
    LEFT JOIN wall w ON w.relation = c.oid LEFT JOIN granted g ON g.oid = c.oid LEFT JOIN tenancy.protected_tables r ON r.relation = c.oid
    LEFT JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum > 0 AND NOT k.attisdropped AND k.attname = coalesce((parse_ident(w.tenant_column))[1], r.tenant_column, 'tenant_id')
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
      AND (n.nspname <> 'tenancy' OR r.relation IS NOT NULL);
END;
COMMENT ON FUNCTION tenancy.check_tables(tenancy.checked_policy[]) IS
    'Internal: all tables but the catalog''s, whether the application reaches them, and whether they are or ought to be behind the wall';
REVOKE ALL ON FUNCTION tenancy.check_tables(tenancy.checked_policy[]) FROM PUBLIC;
