-- All that is a tenant's: the words that export, import and erasure share.

CREATE FUNCTION tenancy.require_superuser(act text) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
        RAISE EXCEPTION 'only a superuser can % a tenant', act USING ERRCODE = 'insufficient_privilege',
            DETAIL = 'To all others row security hides rows of the tables behind the wall.',
            HINT = 'Run it as a superuser; the triggers of your tables then run with these rights, too.';
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.require_superuser(text) IS 'Internal: raises 42501 for others';
REVOKE ALL ON FUNCTION tenancy.require_superuser(text) FROM PUBLIC;

-- Partitions are reached through their root. A table comes after those it references.
CREATE FUNCTION tenancy.tenant_tables() RETURNS TABLE (relation regclass, tenant_column name, depth int)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH RECURSIVE root AS (
        SELECT p.relation, p.tenant_column FROM tenancy.protected_tables p JOIN pg_class c ON c.oid = p.relation
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
    ), edge AS (
        SELECT DISTINCT k.conrelid, k.confrelid FROM pg_constraint k
        WHERE k.contype = 'f' AND k.conparentid = 0 AND k.conrelid <> k.confrelid
    ), walk AS (
        SELECT r.relation::oid AS relation, 0 AS depth FROM root r
        UNION
        SELECT e.conrelid, w.depth + 1 FROM walk w JOIN edge e ON e.confrelid = w.relation WHERE w.depth < 64
    )
    SELECT r.relation, r.tenant_column, max(w.depth) AS depth FROM root r JOIN walk w ON w.relation = r.relation
    GROUP BY r.relation, r.tenant_column ORDER BY max(w.depth), r.relation::text COLLATE "C";
END;
COMMENT ON FUNCTION tenancy.tenant_tables() IS
    'Internal: the protected tables, referenced ones first; depth is the longest chain of references below (64: a circle)';
REVOKE ALL ON FUNCTION tenancy.tenant_tables() FROM PUBLIC;

-- Columns that can be written, each with what its text is cast to. No type modifier: an explicit cast to
-- varchar(3) would cut where an assignment refuses.
CREATE FUNCTION tenancy.tenant_columns(relation regclass) RETURNS TABLE (name name, type text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT a.attname, format_type(a.atttypid, -1) FROM pg_attribute a
    WHERE a.attrelid = tenant_columns.relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    ORDER BY a.attnum;
END;
COMMENT ON FUNCTION tenancy.tenant_columns(regclass) IS 'Internal: columns of an exported table: all but generated ones';
REVOKE ALL ON FUNCTION tenancy.tenant_columns(regclass) FROM PUBLIC;

-- Values are PostgreSQL's own text, or null, so that every type comes back as it was: JSON has no bytes, no
-- infinity, no times, and cannot tell a json null from no value.
CREATE FUNCTION tenancy.tenant_query(relation regclass, tenant_column name) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT format('SELECT jsonb_object(%L::text[], ARRAY[%s]::text[]) AS line FROM %s x WHERE x.%I = $1',
        array_agg(c.name), string_agg(format('x.%I::text', c.name), ', '), tenant_query.relation, tenant_column)
    FROM tenancy.tenant_columns(tenant_query.relation) c;
END;
COMMENT ON FUNCTION tenancy.tenant_query(regclass, name) IS
    'Internal: the query for the rows of tenant $1, each a JSON object of texts; for a search_path of pg_catalog';
REVOKE ALL ON FUNCTION tenancy.tenant_query(regclass, name) FROM PUBLIC;

-- The hash does not depend on the order of the rows.
CREATE FUNCTION tenancy.tenant_digest(relation regclass, tenant_column name, tenant_id text, OUT row_count bigint, OUT sha256 text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO, YMD'
    SET IntervalStyle = 'postgres' SET extra_float_digits = 3 SET bytea_output = 'hex'
AS $$
BEGIN
    EXECUTE format('SELECT count(*), encode(sha256(coalesce(string_agg(l.leaf, '''' ORDER BY l.leaf), '''')), ''hex'') '
        'FROM (SELECT sha256(convert_to(q.line::text, ''UTF8'')) AS leaf FROM (%s) q) l',
        tenancy.tenant_query(relation, tenant_column)) INTO row_count, sha256 USING tenant_id;
END
$$;
COMMENT ON FUNCTION tenancy.tenant_digest(regclass, name, text) IS
    'Internal: how many rows of a table are the tenant''s, and SHA-256 of the sorted SHA-256 values of their lines';
REVOKE ALL ON FUNCTION tenancy.tenant_digest(regclass, name, text) FROM PUBLIC;
