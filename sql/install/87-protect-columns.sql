-- Steps that give a table its tenant column: add or adopt it, fill it, default, NOT NULL.

-- The backfill is an expression over a row, or a query in its place; NULL when there is none.
CREATE FUNCTION tenancy.protect_backfill(backfill_tenant text, backfill_query text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF backfill_tenant IS NOT NULL AND backfill_query IS NOT NULL THEN
        RAISE EXCEPTION 'backfill_tenant and backfill_query exclude each other'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the one tenant of all rows, or the query that maps them.';
    END IF;
    RETURN coalesce(quote_literal(backfill_tenant), '(' || backfill_query || ')::text');
END
$$;
COMMENT ON FUNCTION tenancy.protect_backfill(text, text) IS 'Internal: the expression that maps a row to its tenant';
REVOKE ALL ON FUNCTION tenancy.protect_backfill(text, text) FROM PUBLIC;

CREATE FUNCTION tenancy.protect_column_steps(target regclass, tenant_column name, backfill_tenant text, backfill text)
    RETURNS SETOF tenancy.protect_step
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_column CONSTANT pg_attribute := (SELECT a FROM pg_attribute a
        WHERE a.attrelid = target AND a.attname = tenant_column AND NOT a.attisdropped);
    table_text   CONSTANT text := target::text;
    -- One tenant for all rows needs no rewrite: PostgreSQL keeps it once, in the catalog.
    whole        CONSTANT boolean := found_column.attnum IS NULL AND (backfill IS NULL OR backfill_tenant IS NOT NULL);
BEGIN
    IF found_column.attnum IS NULL THEN
        RETURN NEXT tenancy.protect_do(1, target, true, 'add column', format('ALTER TABLE %s ADD COLUMN %I text COLLATE pg_catalog."C"', table_text, tenant_column)
            || CASE WHEN whole THEN ' NOT NULL' ELSE '' END || coalesce(' DEFAULT ' || quote_literal(backfill_tenant), ''));
        RETURN NEXT tenancy.protect_do(1, target, true, 'comment', format('COMMENT ON COLUMN %s.%I IS %L', table_text, tenant_column,
            tenancy.protect_column_comment()));
    END IF;
    IF NOT whole AND NOT coalesce(found_column.attnotnull, false) THEN
        RETURN QUERY SELECT * FROM tenancy.protect_backfill_steps(target, tenant_column, backfill);
        RETURN QUERY SELECT * FROM tenancy.protect_not_null_steps(target, tenant_column);
    END IF;
    RETURN QUERY SELECT * FROM tenancy.protect_default_steps(target, tenant_column);
END
$$;
COMMENT ON FUNCTION tenancy.protect_column_steps(regclass, name, text, text) IS
    'Internal: steps that add or adopt the tenant column';
REVOKE ALL ON FUNCTION tenancy.protect_column_steps(regclass, name, text, text) FROM PUBLIC;

-- Also how a later phase knows that the column was not the user's.
CREATE FUNCTION tenancy.protect_column_comment() RETURNS text
    LANGUAGE sql IMMUTABLE
RETURN 'Tenant that the row belongs to; added by tenancy.protect_table()';
COMMENT ON FUNCTION tenancy.protect_column_comment() IS 'Internal: comment on a tenant column that we added';
REVOKE ALL ON FUNCTION tenancy.protect_column_comment() FROM PUBLIC;

CREATE FUNCTION tenancy.protect_backfill_steps(target regclass, tenant_column name, backfill text)
    RETURNS SETOF tenancy.protect_step
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    silenced CONSTANT boolean := has_parameter_privilege('session_replication_role', 'SET');
BEGIN
    IF backfill IS NULL THEN
        RETURN;
    END IF;
    IF silenced THEN
        RETURN NEXT tenancy.protect_do(2, target, false, 'triggers off', 'SET LOCAL session_replication_role = replica',
            'rows keep every other value', NULL);
    END IF;
    RETURN NEXT tenancy.protect_do(2, target, true, 'backfill', format('UPDATE %s SET %I = %s WHERE %2$I IS NULL', target, tenant_column, backfill));
    IF silenced THEN
        RETURN NEXT tenancy.protect_do(2, target, false, 'triggers on', format('SET LOCAL session_replication_role = %s',
            current_setting('session_replication_role')));
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.protect_backfill_steps(regclass, name, text) IS 'Internal: steps that fill the tenant column';
REVOKE ALL ON FUNCTION tenancy.protect_backfill_steps(regclass, name, text) FROM PUBLIC;

-- A validated CHECK lets SET NOT NULL skip its scan under the exclusive lock.
CREATE FUNCTION tenancy.protect_not_null_steps(target regclass, tenant_column name)
    RETURNS SETOF tenancy.protect_step
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    checked CONSTANT pg_constraint := (SELECT k FROM pg_constraint k
        WHERE k.conrelid = target AND k.conname = 'tenancy_not_null' AND k.contype = 'c');
BEGIN
    IF checked.oid IS NULL THEN
        RETURN NEXT tenancy.protect_do(3, target, true, 'check', format(
            'ALTER TABLE %s ADD CONSTRAINT tenancy_not_null CHECK (%I IS NOT NULL) NOT VALID', target, tenant_column));
    END IF;
    IF checked.convalidated IS NOT TRUE THEN
        RETURN NEXT tenancy.protect_do(4, target, true, 'validate', format(
            'ALTER TABLE %s VALIDATE CONSTRAINT tenancy_not_null', target));
    END IF;
    RETURN NEXT tenancy.protect_do(6, target, true, 'not null', format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', target, tenant_column),
        NULL, ARRAY[format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', target, tenant_column)]);
    RETURN NEXT tenancy.protect_do(6, target, true, 'drop check', format('ALTER TABLE %s DROP CONSTRAINT tenancy_not_null', target));
END
$$;
COMMENT ON FUNCTION tenancy.protect_not_null_steps(regclass, name) IS 'Internal: steps that forbid a row without a tenant';
REVOKE ALL ON FUNCTION tenancy.protect_not_null_steps(regclass, name) FROM PUBLIC;

CREATE FUNCTION tenancy.protect_default_steps(target regclass, tenant_column name)
    RETURNS SETOF tenancy.protect_step
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 3, t.r, false, 'default', format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT tenancy.current_tenant()', t.r, tenant_column),
        NULL::text, ARRAY[format('ALTER TABLE %s ALTER COLUMN %I ', t.r, tenant_column)
                          || CASE WHEN d.oid IS NULL OR col_description(target, a.attnum) = tenancy.protect_column_comment()
                                  THEN 'DROP DEFAULT' ELSE 'SET DEFAULT ' || pg_get_expr(d.adbin, d.adrelid) END]
    FROM tenancy.protect_tree(target) t (r)
    LEFT JOIN pg_attribute a ON a.attrelid = t.r AND a.attname = tenant_column
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE pg_get_expr(d.adbin, d.adrelid) IS DISTINCT FROM 'tenancy.current_tenant()'
      -- The table's default goes to all its partitions; by itself only one that differs, or that came later.
      AND (t.r = target OR d.oid IS NOT NULL OR EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = target));
END;
COMMENT ON FUNCTION tenancy.protect_default_steps(regclass, name) IS
    'Internal: steps that make the verified tenant the default of the tenant column';
REVOKE ALL ON FUNCTION tenancy.protect_default_steps(regclass, name) FROM PUBLIC;

-- Raises 23514 when a row's tenant is not registered. Rows are read with the rights of the table's owner.
CREATE FUNCTION tenancy.protect_require_tenants(target regclass, tenant_column name, backfill text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    has_column CONSTANT boolean := EXISTS (SELECT FROM pg_attribute a
        WHERE a.attrelid = target AND a.attname = tenant_column AND NOT a.attisdropped);
    mapping    CONSTANT text := CASE WHEN NOT has_column THEN coalesce(backfill, 'NULL::text')
        WHEN backfill IS NULL THEN format('%I::text', tenant_column)
        ELSE format('coalesce(%I, %s)', tenant_column, backfill) END;
    counts     jsonb;
    strangers  record;
BEGIN
    counts := tenancy.run_as_owner(target, format('SELECT pg_catalog.jsonb_object_agg(COALESCE(v, ''''), n) FROM '
        '(SELECT v, pg_catalog.count(*) AS n FROM (SELECT %s AS v FROM %s) m GROUP BY v) g', mapping, target));
    SELECT sum(c.value::bigint) AS total, max(c.value::bigint) FILTER (WHERE c.key = '') AS without, min(nullif(c.key, '')) AS example
    INTO strangers
    FROM jsonb_each_text(counts) c WHERE NOT EXISTS (SELECT FROM tenancy.tenants t WHERE t.tenant_id = c.key);
    IF strangers.total > 0 THEN
        RAISE EXCEPTION 'table % has rows without a registered tenant: %', target, strangers.total USING ERRCODE = 'check_violation',
            DETAIL = concat_ws(' ', 'Without any: ' || strangers.without || '.', 'One names "' || left(strangers.example, 100) || '".'),
            HINT = 'Give backfill_tenant or a backfill_query that maps each row to a tenant, or register the tenant with tenancy.add_tenant(). Nothing was changed.';
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.protect_require_tenants(regclass, name, text) IS
    'Internal: raises unless each row maps to a registered tenant';
REVOKE ALL ON FUNCTION tenancy.protect_require_tenants(regclass, name, text) FROM PUBLIC;
