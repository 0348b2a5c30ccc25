-- import_tenant(): takes in what export_tenant() gave, all of it or nothing.

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
    INSERT INTO tenancy.rate_limits SELECT r.* FROM jsonb_populate_record(NULL::tenancy.rate_limits, nullif(header -> 'rate_limits', 'null')) r
        WHERE r.tenant_id IS NOT NULL;
    INSERT INTO tenancy.file_quotas SELECT q.* FROM jsonb_populate_record(NULL::tenancy.file_quotas, nullif(header -> 'file_quotas', 'null')) q
        WHERE q.tenant_id IS NOT NULL;
    INSERT INTO tenancy.retention SELECT r.* FROM jsonb_populate_record(NULL::tenancy.retention, nullif(header -> 'retention', 'null')) r
        WHERE r.tenant_id IS NOT NULL;
    INSERT INTO tenancy.budgets (tenant_id, scope, period, time_zone, limit_picodollars, limit_tokens, warn_ratio, mode, valid_from, valid_until)
        SELECT b.tenant_id, b.scope, b.period, b.time_zone, b.limit_picodollars, b.limit_tokens, b.warn_ratio, b.mode, b.valid_from, b.valid_until
        FROM jsonb_populate_recordset(NULL::tenancy.budgets, header -> 'budgets') b;
END
$$;
COMMENT ON FUNCTION tenancy.import_settings(jsonb) IS 'Internal: claims, limits, budgets and retention of the header';
REVOKE ALL ON FUNCTION tenancy.import_settings(jsonb) FROM PUBLIC;

-- Raises unless the lines are one whole export and this database has room for it.
CREATE FUNCTION tenancy.require_importable(header jsonb, footer jsonb) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tenant CONSTANT text := header ->> 'tenant_id';
    missing CONSTANT text := (SELECT min(t.name) FROM jsonb_array_elements_text(header -> 'tables') t(name)
        WHERE to_regclass(t.name) IS NULL OR to_regclass(t.name) NOT IN (SELECT x.relation FROM tenancy.tenant_tables() x));
    unknown text;
    filled text;
    t record;
BEGIN
    PERFORM tenancy.require(header ->> 'format' = '1' AND footer IS NOT NULL
            AND footer ->> 'sha256' = encode(sha256(convert_to((header || (footer -> 'tables'))::text, 'UTF8')), 'hex'),
        'this is not a whole export of one tenant', 'Give a table (table_name text, line jsonb) filled from one tenancy.export_tenant().');
    PERFORM tenancy.require(missing IS NULL, format('table %s is not protected here, or does not exist', missing),
        'Create the tables and call tenancy.protect_table() first, as where the export was made.');
    PERFORM tenancy.require(NOT EXISTS (SELECT FROM tenancy.tenants x WHERE x.tenant_id = tenant AND x.status <> 'suspended'),
        format('tenant "%s" is active here', tenant), format('SELECT tenancy.suspend_tenant(%L) first.', tenant));
    SELECT c.value ->> 'issuer' INTO unknown FROM jsonb_array_elements(header -> 'claims') c
        WHERE c.value ->> 'issuer' NOT IN (SELECT i.issuer FROM tenancy.issuers i) LIMIT 1;
    PERFORM tenancy.require(unknown IS NULL, format('issuer "%s" is not trusted here', left(unknown, 100)),
        'Call tenancy.add_issuer() and load its keys first, as where the export was made.');
    PERFORM tenancy.require(NOT EXISTS (SELECT FROM tenancy.erasures e WHERE e.tenant_id = tenant),
        format('tenant "%s" was erased here', tenant), 'See its receipt in tenancy.erasures.');
    FOR t IN SELECT * FROM tenancy.tenant_tables() LOOP
        EXECUTE format('SELECT %L WHERE EXISTS (SELECT FROM %s x WHERE x.%I = $1)', t.relation, t.relation, t.tenant_column)
            INTO filled USING tenant;
        PERFORM tenancy.require(filled IS NULL, format('tenant "%s" has rows in %s already', tenant, filled),
            'An export is taken in by a database that has nothing of the tenant.');
    END LOOP;
END
$$;
COMMENT ON FUNCTION tenancy.require_importable(jsonb, jsonb) IS 'Internal: raises 22023 when an export cannot be taken in, and says why';
REVOKE ALL ON FUNCTION tenancy.require_importable(jsonb, jsonb) FROM PUBLIC;

-- The triggers of the tables fire: references are checked, budgets count the charges. Settings come last, so that
-- old charges raise no alert anew.
CREATE FUNCTION tenancy.import_tenant(source regclass) RETURNS TABLE (table_name text, row_count bigint)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    header jsonb;
    footer jsonb;
    t record;
BEGIN
    PERFORM tenancy.require_superuser('import');
    EXECUTE format('SELECT (SELECT s.line FROM %1$s s WHERE s.table_name = ''#header''), (SELECT s.line FROM %1$s s WHERE s.table_name = ''#footer'')',
        source) INTO header, footer;
    PERFORM tenancy.lock_task('tenant ' || (header ->> 'tenant_id'), true);
    PERFORM tenancy.require_importable(header, footer);
    INSERT INTO tenancy.tenants AS x (tenant_id, status, suspended_at, reason)
        VALUES (header ->> 'tenant_id', 'suspended', clock_timestamp(), 'imported') ON CONFLICT DO NOTHING;
    FOR t IN SELECT x.* FROM tenancy.tenant_tables() x WHERE footer -> 'tables' ? x.relation::text LOOP
        PERFORM tenancy.import_rows(source, t.relation::text);
        PERFORM tenancy.import_sequences(t.relation);
    END LOOP;
    FOR t IN SELECT x.* FROM tenancy.tenant_tables() x WHERE footer -> 'tables' ? x.relation::text LOOP
        table_name := t.relation;
        row_count := tenancy.import_check(t.relation, t.tenant_column, header ->> 'tenant_id', footer -> 'tables' -> table_name);
        RETURN NEXT;
    END LOOP;
    PERFORM tenancy.import_settings(header);
    PERFORM tenancy.slots_drop();
    PERFORM agent.audit_operation(header ->> 'tenant_id', 'tenant.import', 'tenant', header ->> 'tenant_id',
        'exported at ' || (header ->> 'exported_at'));
END
$$;
COMMENT ON FUNCTION tenancy.import_tenant(regclass) IS
    'Takes in an export, from a table (table_name text, line jsonb): rows, claims, limits, budgets and retention, or nothing at all '
    'when a row or its hash differs. The tenant is suspended until tenancy.resume_tenant()';
REVOKE ALL ON FUNCTION tenancy.import_tenant(regclass) FROM PUBLIC;
