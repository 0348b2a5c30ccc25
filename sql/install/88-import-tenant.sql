-- import_tenant(): takes in what export_tenant() gave, all of it or nothing.

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
