-- The doctor: every hole that the rules of 87-check-*.sql find in this database, the worst first.

-- A definer, so that who monitors needs EXECUTE and no more; what it returns are names and statements,
-- never a row of a tenant or the value of a setting that may be secret.
CREATE FUNCTION tenancy.check_isolation() RETURNS SETOF tenancy.finding
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH policy AS MATERIALIZED (SELECT array_agg(p) AS policies FROM tenancy.check_policies() p),
    subject AS MATERIALIZED (SELECT p.policies, (SELECT array_agg(t) FROM tenancy.check_tables(p.policies) t) AS tables FROM policy p)
    -- A name with a line break would end the comment, and what follows would run as whoever runs the fixes.
    SELECT f.rule, f.severity, f.object, f.why, CASE WHEN f.fix LIKE '--%' THEN translate(f.fix, E'\n\r', '  ') ELSE f.fix END
    FROM (
        SELECT r.* FROM subject s, tenancy.check_role_attributes(s.tables) r
        UNION ALL SELECT r.* FROM subject s, tenancy.check_role_owners(s.tables) r
        UNION ALL SELECT * FROM tenancy.check_role_settings()
        UNION ALL SELECT * FROM tenancy.check_role_limits()
        UNION ALL SELECT r.* FROM subject s, tenancy.check_row_security(s.tables) r
        UNION ALL SELECT r.* FROM subject s, tenancy.check_table_privileges(s.tables) r
        UNION ALL SELECT r.* FROM subject s, tenancy.check_side_doors(s.tables) r
        UNION ALL SELECT r.* FROM subject s, tenancy.check_walls(s.tables, s.policies) r
        UNION ALL SELECT r.* FROM subject s, tenancy.check_policy_text(s.tables, s.policies) r
        UNION ALL SELECT * FROM tenancy.check_policy_functions()
        UNION ALL SELECT r.* FROM subject s, tenancy.check_unique_keys(s.tables) r
        UNION ALL SELECT r.* FROM subject s, tenancy.check_references(s.tables) r
        UNION ALL SELECT r.* FROM subject s, tenancy.check_indexes(s.tables) r
        UNION ALL SELECT r.* FROM subject s, tenancy.check_operators(s.tables) r
        UNION ALL SELECT r.* FROM subject s, tenancy.check_views(s.tables) r
        UNION ALL SELECT r.* FROM subject s, tenancy.check_functions(s.tables) r
        UNION ALL SELECT * FROM tenancy.check_extensions()
        UNION ALL SELECT * FROM tenancy.check_schemas()
        UNION ALL SELECT * FROM tenancy.check_catalog_functions()
        UNION ALL SELECT * FROM tenancy.check_settings()
        UNION ALL SELECT * FROM tenancy.check_fips()) f
    ORDER BY array_position('{critical,high,medium,low,info}', f.severity), f.rule COLLATE "C", f.object COLLATE "C";
END;
COMMENT ON FUNCTION tenancy.check_isolation() IS
    'Every way around the wall found in this database and this server, worst first: rule, severity, object, why, and the statement that closes it';
REVOKE ALL ON FUNCTION tenancy.check_isolation() FROM PUBLIC;

CREATE VIEW tenancy.isolation_findings WITH (security_barrier = true) AS
    SELECT f.rule, f.severity, f.object, f.why, f.fix FROM tenancy.check_isolation() f;
COMMENT ON VIEW tenancy.isolation_findings IS
    'tenancy.check_isolation() as a view, for monitoring; who reads it needs EXECUTE on the function, too';
REVOKE ALL ON TABLE tenancy.isolation_findings FROM PUBLIC;
