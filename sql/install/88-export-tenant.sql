-- export_tenant(): everything of one tenant as lines of JSON.
-- Format 1: table_name "#header", then rows, then "#footer" with the count and hash of each table.

CREATE FUNCTION tenancy.export_header(tenant_id text) RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO, YMD'
BEGIN ATOMIC
    SELECT jsonb_build_object('format', 1, 'tenant_id', t.tenant_id, 'exported_at', now(),
        'extension_version', (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'pg_tenancy'),
        'server_version', current_setting('server_version'),
        'tables', (SELECT jsonb_agg(x.relation::text) FROM tenancy.tenant_tables() x),
        'claims', (SELECT coalesce(jsonb_agg(to_jsonb(c)), '[]') FROM tenancy.tenant_claims c WHERE c.tenant_id = t.tenant_id),
        'rate_limits', (SELECT to_jsonb(r) FROM tenancy.rate_limits r WHERE r.tenant_id = t.tenant_id),
        'file_quotas', (SELECT to_jsonb(q) FROM tenancy.file_quotas q WHERE q.tenant_id = t.tenant_id),
        'retention', (SELECT to_jsonb(r) FROM tenancy.retention r WHERE r.tenant_id = t.tenant_id),
        'budgets', (SELECT coalesce(jsonb_agg(to_jsonb(b)), '[]') FROM tenancy.budgets b WHERE b.tenant_id = t.tenant_id))
    FROM tenancy.tenants t WHERE t.tenant_id = export_header.tenant_id;
END;
COMMENT ON FUNCTION tenancy.export_header(text) IS 'Internal: the first line of an export: what it is, and the tenant''s settings';
REVOKE ALL ON FUNCTION tenancy.export_header(text) FROM PUBLIC;

-- STABLE: all its queries have the snapshot of the one statement that calls it.
CREATE FUNCTION tenancy.export_tenant(tenant_id text) RETURNS TABLE (table_name text, line jsonb)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO, YMD'
    SET IntervalStyle = 'postgres' SET extra_float_digits = 3 SET bytea_output = 'hex'
AS $$
DECLARE
    header CONSTANT jsonb := tenancy.export_header(tenant_id);
    footer jsonb := '{}';
    t record;
BEGIN
    PERFORM tenancy.require_superuser('export');
    PERFORM tenancy.require(header IS NOT NULL, format('tenant "%s" is not registered', left(tenant_id, 100)), 'See tenancy.tenants.');
    RETURN QUERY SELECT '#header', header;
    FOR t IN SELECT * FROM tenancy.tenant_tables() LOOP
        RETURN QUERY EXECUTE format('SELECT %L, q.line FROM (%s) q', t.relation, tenancy.tenant_query(t.relation, t.tenant_column))
            USING tenant_id;
        footer := footer || (SELECT jsonb_build_object(t.relation::text, jsonb_build_object('rows', d.row_count, 'sha256', d.sha256))
            FROM tenancy.tenant_digest(t.relation, t.tenant_column, tenant_id) d);
    END LOOP;
    RETURN QUERY SELECT '#footer', jsonb_build_object('tables', footer,
        'sha256', encode(sha256(convert_to((header || footer)::text, 'UTF8')), 'hex'));
END
$$;
COMMENT ON FUNCTION tenancy.export_tenant(text) IS
    'Everything of a tenant in one snapshot: a header, a line per row of each protected table, a footer with counts and hashes; '
    'for \copy (SELECT * FROM tenancy.export_tenant(...)) TO file';
REVOKE ALL ON FUNCTION tenancy.export_tenant(text) FROM PUBLIC;
