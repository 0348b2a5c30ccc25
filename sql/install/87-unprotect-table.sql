-- unprotect_table(): takes down the wall of a table and undoes what protect_table() changed. All data stays.

-- Runs one group of undo statements or none of it. They are on record in a row that the table's owner can
-- write, so they run with the owner's rights, whoever calls. Returns why the group could not be undone.
CREATE FUNCTION tenancy.unprotect_group(target regclass, statements jsonb) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $$
BEGIN
    PERFORM tenancy.run_as_owner(target, s.statement)
    FROM jsonb_array_elements_text(statements) WITH ORDINALITY s (statement, place) ORDER BY s.place;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLERRM;
END
$$;
COMMENT ON FUNCTION tenancy.unprotect_group(regclass, jsonb) IS
    'Internal: undoes one change; returns why that was not possible, NULL when it was';
REVOKE ALL ON FUNCTION tenancy.unprotect_group(regclass, jsonb) FROM PUBLIC;

CREATE FUNCTION tenancy.unprotect_require(target regclass, drop_column boolean) RETURNS tenancy.protected_tables
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    protected tenancy.protected_tables;
    problem   text;
BEGIN
    PERFORM tenancy.protect_require_owner(target);
    SELECT p.* INTO protected FROM tenancy.protected_tables p WHERE p.relation = target;
    problem := CASE
        WHEN protected.relation IS NULL THEN 'it is not protected'
        WHEN EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = target AND d.deptype = 'e')
            THEN 'it belongs to an extension'
        WHEN (SELECT c.relispartition FROM pg_class c WHERE c.oid = target)
            THEN format('it is a partition of %s: unprotect that', pg_partition_root(target))
        WHEN drop_column AND NOT protected.added_column
            THEN format('column %I was there before protect_table(), so it is not dropped', protected.tenant_column) END;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION 'table % cannot be unprotected', target
            USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = problem, HINT = 'See tenancy.protected_tables.';
    END IF;
    RETURN protected;
END
$$;
COMMENT ON FUNCTION tenancy.unprotect_require(regclass, boolean) IS
    'Internal: the registry row of a table that the caller may unprotect; raises when there is none';
REVOKE ALL ON FUNCTION tenancy.unprotect_require(regclass, boolean) FROM PUBLIC;

-- What every protected table has, whether it is on record or not.
CREATE FUNCTION tenancy.unprotect_statements(target regclass, tenant_column name) RETURNS SETOF tenancy.protect_step
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 6, t.r, true, 'drop policy', format('DROP POLICY %I ON %s', p.polname, t.r), NULL::text, NULL::text[]
    FROM tenancy.protect_tree(target) t (r) JOIN pg_policy p ON p.polrelid = t.r
    WHERE p.polname = 'tenant_wall' OR p.polname = 'tenant_rows' AND pg_get_expr(p.polqual, p.polrelid) = 'true'
    UNION ALL
    SELECT 6, t.r, true, 'drop default', format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT', t.r, tenant_column), NULL, NULL
    FROM tenancy.protect_tree(target) t (r) JOIN pg_attribute a ON a.attrelid = t.r AND a.attname = tenant_column
    JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE pg_get_expr(d.adbin, d.adrelid) = 'tenancy.current_tenant()';
END;
COMMENT ON FUNCTION tenancy.unprotect_statements(regclass, name) IS 'Internal: takes down policies and default';
REVOKE ALL ON FUNCTION tenancy.unprotect_statements(regclass, name) FROM PUBLIC;

-- Dropping a column would silently drop every key and foreign key that it is part of.
CREATE FUNCTION tenancy.unprotect_require_free(target regclass, tenant_column name) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    users text;
BEGIN
    SELECT string_agg(pg_describe_object(d.classid, d.objid, 0), E'\n' ORDER BY d.objid) INTO users
    FROM pg_attribute a JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
    WHERE a.attrelid = target AND a.attname = tenant_column AND d.deptype IN ('a', 'n')
      AND d.classid IN ('pg_constraint'::regclass, 'pg_class'::regclass)
      AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.tableoid = d.classid AND c.oid = d.objid AND c.contype = 'n'); -- since 18
    IF users IS NOT NULL THEN
        RAISE EXCEPTION 'column "%" of table % is still used', tenant_column, target USING ERRCODE = 'dependent_objects_still_exist',
            DETAIL = users, HINT = 'Unprotect the tables that these refer to first, or call it without drop_column. Nothing was changed.';
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.unprotect_require_free(regclass, name) IS
    'Internal: raises 2BP01 when dropping the tenant column would drop keys or foreign keys with it';
REVOKE ALL ON FUNCTION tenancy.unprotect_require_free(regclass, name) FROM PUBLIC;

-- In a protected schema a table would be protected again at once; only who may change that list gets past it.
CREATE FUNCTION tenancy.unprotect_exempt(target regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    place record;
BEGIN
    FOR place IN SELECT s.schema_name, array_agg(t.r) AS tables FROM tenancy.protect_tree(target) t (r)
            JOIN pg_class c ON c.oid = t.r JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN tenancy.protected_schemas s ON s.schema_name = n.nspname GROUP BY s.schema_name LOOP
        UPDATE tenancy.protected_schemas s SET exempt = s.exempt || place.tables WHERE s.schema_name = place.schema_name;
    END LOOP;
END
$$;
COMMENT ON FUNCTION tenancy.unprotect_exempt(regclass) IS
    'Internal: exempts a table and its partitions from the schemas they are in';
REVOKE ALL ON FUNCTION tenancy.unprotect_exempt(regclass) FROM PUBLIC;

CREATE FUNCTION tenancy.unprotect_table(target regclass, drop_column boolean DEFAULT false)
    RETURNS TABLE (step int, action text, statement text, note text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    protected CONSTANT tenancy.protected_tables := tenancy.unprotect_require(target, drop_column);
    recorded  record;
    one       tenancy.protect_step;
    undo      CONSTANT jsonb := (
        SELECT jsonb_agg(jsonb_build_object('relation', t.r::oid, 'statements', g.statements) ORDER BY t.place DESC, g.place DESC)
        FROM tenancy.protect_tree(target) WITH ORDINALITY t (r, place) JOIN tenancy.protected_tables p ON p.relation = t.r,
        LATERAL jsonb_array_elements(p.details -> 'undo') WITH ORDINALITY g (statements, place));
BEGIN
    PERFORM tenancy.protect_lock(target, 'ACCESS EXCLUSIVE');
    RAISE LOG 'role "%" unprotects table %', current_user, target;
    RAISE NOTICE 'table % is not behind the wall any more: every role with privileges on it reads all rows', target;
    PERFORM tenancy.unprotect_exempt(target);
    -- First: while it is registered, a table without its wall is refused.
    DELETE FROM tenancy.protected_tables p WHERE p.relation IN (SELECT * FROM tenancy.protect_tree(target));
    step := 0;
    FOR one IN SELECT * FROM tenancy.unprotect_statements(target, protected.tenant_column) LOOP
        PERFORM tenancy.protect_run(one);
        step := step + 1;
        RETURN QUERY SELECT step, one.action, one.statement, NULL::text;
    END LOOP;
    FOR recorded IN SELECT u.relation, u.statements FROM jsonb_to_recordset(undo) u (relation oid, statements jsonb) LOOP
        note := tenancy.unprotect_group(recorded.relation, recorded.statements);
        RETURN QUERY SELECT CASE WHEN unprotect_table.note IS NULL THEN unprotect_table.step + s.place::int END,
            CASE WHEN unprotect_table.note IS NULL THEN 'undo' ELSE 'not undone' END, s.statement, unprotect_table.note
            FROM jsonb_array_elements_text(recorded.statements) WITH ORDINALITY s (statement, place) ORDER BY s.place;
        step := step + CASE WHEN note IS NULL THEN jsonb_array_length(recorded.statements) ELSE 0 END;
    END LOOP;
    IF drop_column THEN
        PERFORM tenancy.unprotect_require_free(target, protected.tenant_column);
        statement := format('ALTER TABLE %s DROP COLUMN %I', target, protected.tenant_column);
        PERFORM tenancy.run_as_owner(target, statement);
        RETURN QUERY SELECT unprotect_table.step + 1, 'drop column', unprotect_table.statement, NULL::text;
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.unprotect_table(regclass, boolean) IS
    'Takes a table out of the wall, keeps its rows, and undoes what protect_table() changed as far as the data allow; drop_column also drops the tenant column if protect_table() added it. 55000 when it is not protected';
REVOKE ALL ON FUNCTION tenancy.unprotect_table(regclass, boolean) FROM PUBLIC;
