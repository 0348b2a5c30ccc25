-- export_tenant(): everything of one tenant as lines of JSON, and import_tenant(), which takes them in.
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

CREATE FUNCTION tenancy.import_rows(source regclass, target text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO, YMD' SET IntervalStyle = 'postgres'
AS $$
DECLARE
    missing text;
BEGIN
    EXECUTE format('SELECT min(k.name) FROM (SELECT DISTINCT jsonb_object_keys(s.line) AS name FROM %s s WHERE s.table_name = $1) k '
        'WHERE k.name NOT IN (SELECT c.name FROM tenancy.tenant_columns($1::regclass) c)', source) INTO missing USING target;
    PERFORM tenancy.require(missing IS NULL, format('table %s has no column "%s" here', target, missing),
        'Bring the table to the version that it had where the export was made.');
    EXECUTE (SELECT format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s s WHERE s.table_name = %L', target,
        string_agg(quote_ident(c.name), ', '), string_agg(format('(s.line ->> %L)::%s', c.name, c.type), ', '), source, target)
        FROM tenancy.tenant_columns(target::regclass) c);
END
$$;
COMMENT ON FUNCTION tenancy.import_rows(regclass, text) IS 'Internal: inserts the lines of one table';
REVOKE ALL ON FUNCTION tenancy.import_rows(regclass, text) FROM PUBLIC;

-- Also when all rows are there: a trigger of the table's own may have made other rows of them.
CREATE FUNCTION tenancy.import_check(relation regclass, tenant_column name, tenant_id text, wanted jsonb) RETURNS bigint
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found record;
BEGIN
    SELECT * INTO found FROM tenancy.tenant_digest(relation, tenant_column, tenant_id);
    IF found.row_count IS DISTINCT FROM (wanted ->> 'rows')::bigint OR found.sha256 IS DISTINCT FROM wanted ->> 'sha256' THEN
        RAISE EXCEPTION 'rows of table % are not those that were exported', relation USING ERRCODE = 'data_corrupted',
            DETAIL = format('%s rows are here, %s were exported.', found.row_count, wanted ->> 'rows'),
            HINT = 'Either the file was changed or cut, or the table differs from the exported one, or one of its triggers '
                'changes rows: disable that trigger for the import.';
    END IF;
    RETURN found.row_count;
END
$$;
COMMENT ON FUNCTION tenancy.import_check(regclass, name, text, jsonb) IS
    'Internal: raises XX001 unless a table''s rows of the tenant are exactly those of the footer; returns how many';
REVOKE ALL ON FUNCTION tenancy.import_check(regclass, name, text, jsonb) FROM PUBLIC;

CREATE FUNCTION tenancy.import_sequences(relation regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    owned record;
BEGIN
    FOR owned IN SELECT c.name, pg_get_serial_sequence(relation::text, c.name) AS sequence FROM tenancy.tenant_columns(relation) c LOOP
        IF owned.sequence IS NOT NULL THEN
            EXECUTE format('SELECT setval(%L, greatest(max(x.%I), s.last_value)) FROM %s s LEFT JOIN %s x ON true GROUP BY s.last_value',
                owned.sequence, owned.name, owned.sequence, relation);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION tenancy.import_sequences(regclass) IS 'Internal: moves a table''s sequences past the values that are there';
REVOKE ALL ON FUNCTION tenancy.import_sequences(regclass) FROM PUBLIC;

-- Numbers of budgets belong to a database: here they get new ones.
CREATE FUNCTION tenancy.import_settings(header jsonb) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO tenancy.tenant_claims SELECT c.* FROM jsonb_populate_recordset(NULL::tenancy.tenant_claims, header -> 'claims') c;
    INSERT INTO tenancy.rate_limits SELECT r.* FROM jsonb_populate_record(NULL::tenancy.rate_limits, header -> 'rate_limits') r
        WHERE r.tenant_id IS NOT NULL;
    INSERT INTO tenancy.retention SELECT r.* FROM jsonb_populate_record(NULL::tenancy.retention, header -> 'retention') r
        WHERE r.tenant_id IS NOT NULL;
    INSERT INTO tenancy.budgets (tenant_id, scope, period, time_zone, limit_picodollars, limit_tokens, warn_ratio, mode, valid_from, valid_until)
        SELECT b.tenant_id, b.scope, b.period, b.time_zone, b.limit_picodollars, b.limit_tokens, b.warn_ratio, b.mode, b.valid_from, b.valid_until
        FROM jsonb_populate_recordset(NULL::tenancy.budgets, header -> 'budgets') b;
END
$$;
COMMENT ON FUNCTION tenancy.import_settings(jsonb) IS 'Internal: claims, limits, budgets and retention of the header';
REVOKE ALL ON FUNCTION tenancy.import_settings(jsonb) FROM PUBLIC;
