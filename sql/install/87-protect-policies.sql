-- Steps that build the wall itself: row security, its policies, privileges, the registry.

-- The one condition of a wall, as PostgreSQL prints it under search_path pg_catalog.
CREATE FUNCTION tenancy.protect_condition(tenant_column name) RETURNS text
    LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT format('(%I = ( SELECT tenancy.current_tenant() AS current_tenant))', tenant_column);
END;
COMMENT ON FUNCTION tenancy.protect_condition(name) IS 'Internal: the condition of policy tenant_wall';
REVOKE ALL ON FUNCTION tenancy.protect_condition(name) FROM PUBLIC;

CREATE FUNCTION tenancy.protect_has_wall(relation regclass, tenant_column name) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = relation AND p.polname = 'tenant_wall'
        AND NOT p.polpermissive AND p.polcmd = '*' AND p.polroles = '{0}'
        AND pg_get_expr(p.polqual, p.polrelid) = tenancy.protect_condition(tenant_column)
        AND pg_get_expr(p.polwithcheck, p.polrelid) = tenancy.protect_condition(tenant_column));
END;
COMMENT ON FUNCTION tenancy.protect_has_wall(regclass, name) IS 'Internal: whether policy tenant_wall is there and says what it should';
REVOKE ALL ON FUNCTION tenancy.protect_has_wall(regclass, name) FROM PUBLIC;

-- A table's own permissive policies decide within the tenant; where there are none, everything passes.
CREATE FUNCTION tenancy.protect_policy_steps(relation regclass, tenant_column name) RETURNS SETOF tenancy.protect_step
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    has_policies CONSTANT boolean := EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = relation AND p.polpermissive);
    misnamed     CONSTANT boolean := EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = relation AND p.polname = 'tenant_wall');
    condition    CONSTANT text := format('%I = (SELECT tenancy.current_tenant())', tenant_column);
BEGIN
    IF NOT tenancy.protect_has_wall(relation, tenant_column) THEN
        IF misnamed THEN
            RETURN NEXT tenancy.protect_do(6, relation, true, 'drop policy', format('DROP POLICY tenant_wall ON %s', relation),
                'it did not keep tenants apart', NULL);
        END IF;
        RETURN NEXT tenancy.protect_do(6, relation, false, 'policy', format('CREATE POLICY tenant_wall ON %s AS RESTRICTIVE FOR ALL USING (%s) WITH CHECK (%2$s)',
            relation, condition));
        RETURN NEXT tenancy.protect_do(6, relation, true, 'comment', format('COMMENT ON POLICY tenant_wall ON %s IS %L', relation,
            'Only rows of the verified tenant'));
    END IF;
    IF NOT has_policies THEN
        RETURN NEXT tenancy.protect_do(6, relation, false, 'policy', format('CREATE POLICY tenant_rows ON %s USING (true) WITH CHECK (true)', relation));
        RETURN NEXT tenancy.protect_do(6, relation, true, 'comment', format('COMMENT ON POLICY tenant_rows ON %s IS %L', relation,
            'Everything that tenant_wall leaves'));
    END IF;
    RETURN QUERY SELECT 6, relation, true, 'row security',
        format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', relation), NULL::text,
        ARRAY[format('ALTER TABLE %s %s ROW LEVEL SECURITY, %s ROW LEVEL SECURITY', relation,
            CASE WHEN c.relforcerowsecurity THEN 'FORCE' ELSE 'NO FORCE' END,
            CASE WHEN c.relrowsecurity THEN 'ENABLE' ELSE 'DISABLE' END)]
    FROM pg_class c WHERE c.oid = relation AND NOT (c.relrowsecurity AND c.relforcerowsecurity);
    RETURN QUERY SELECT (tenancy.protect_remark(relation, format(
        'permissive policy %I stays and decides within the tenant; drop it if tenant_wall takes its place', p.polname))).*
    FROM pg_policy p WHERE p.polrelid = relation AND p.polpermissive AND p.polname <> 'tenant_rows' ORDER BY p.polname;
END
$$;
COMMENT ON FUNCTION tenancy.protect_policy_steps(regclass, name) IS 'Internal: row security and policies of one table or partition';
REVOKE ALL ON FUNCTION tenancy.protect_policy_steps(regclass, name) FROM PUBLIC;

-- TRUNCATE ignores row security, a foreign key made by REFERENCES probes ids, a TRIGGER runs code in the
-- statements of others, and MAINTAIN (version 17) locks them out: no application role may have them, by
-- itself, by a role it is in, or as PUBLIC.
CREATE FUNCTION tenancy.protect_privilege_steps(relation regclass) RETURNS SETOF tenancy.protect_step
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 6, relation, true, 'revoke', format('REVOKE TRUNCATE, REFERENCES, TRIGGER%s ON TABLE %s FROM %s', CASE WHEN g.maintains THEN ', MAINTAIN' END, relation, g.grantee),
        NULL::text, CASE WHEN g.on_table IS NOT NULL THEN ARRAY[format('GRANT %s ON TABLE %s TO %s', g.on_table, relation, g.grantee)] END
    FROM (
        SELECT CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END AS grantee,
            string_agg(x.privilege_type, ', ' ORDER BY x.privilege_type) FILTER (WHERE x.whole) AS on_table,
            bool_or(x.privilege_type = 'MAINTAIN') AS maintains
        FROM pg_class c, LATERAL (
            SELECT a.grantee, a.privilege_type, true AS whole FROM aclexplode(c.relacl) a
            UNION ALL
            SELECT a.grantee, a.privilege_type, false FROM pg_attribute t, LATERAL aclexplode(t.attacl) a WHERE t.attrelid = c.oid) x
        WHERE c.oid = relation AND x.privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN') AND x.grantee <> c.relowner
          AND (x.grantee = 0 OR EXISTS (SELECT FROM tenancy.app_roles p JOIN pg_roles r ON r.rolname = p.role_name
                                        WHERE pg_has_role(r.oid, x.grantee, 'MEMBER')))
        GROUP BY x.grantee) g
    ORDER BY g.grantee;
END;
COMMENT ON FUNCTION tenancy.protect_privilege_steps(regclass) IS 'Internal: revokes what row security does not stop';
REVOKE ALL ON FUNCTION tenancy.protect_privilege_steps(regclass) FROM PUBLIC;

-- What the wall does not cover and its administrator should know.
CREATE FUNCTION tenancy.protect_remarks(target regclass) RETURNS SETOF tenancy.protect_step
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT (tenancy.protect_remark(target, r.note)).* FROM (
        SELECT DISTINCT CASE v.relkind
            WHEN 'm' THEN format('materialized view %s holds rows of all tenants: let no application role read it', v.oid::regclass)
            ELSE format('view %s reads with its owner''s rights: ALTER VIEW %1$s SET (security_invoker = true)', v.oid::regclass) END
        FROM tenancy.protect_tree(target) t (r)
        JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.r AND d.classid = 'pg_rewrite'::regclass
        JOIN pg_rewrite w ON w.oid = d.objid JOIN pg_class v ON v.oid = w.ev_class
        WHERE v.relkind = 'm' OR v.relkind = 'v'
          AND NOT coalesce(v.reloptions && '{security_invoker=true,security_invoker=on,security_invoker=1,security_invoker=yes}', false)
        UNION ALL
        SELECT format('column %I takes numbers from one sequence for all tenants, which tells how many rows others insert; a uuid does not', a.attname)
        FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = target AND NOT a.attisdropped
          AND (a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%')
    ) r (note) ORDER BY r.note;
END;
COMMENT ON FUNCTION tenancy.protect_remarks(regclass) IS 'Internal: views and sequences that tell about other tenants';
REVOKE ALL ON FUNCTION tenancy.protect_remarks(regclass) FROM PUBLIC;
