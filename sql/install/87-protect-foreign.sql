-- Foreign keys of a key that gets the tenant: whether they can follow, and their new definitions.

-- The tenant column of a table that is protected, or is about to be: target by its tenant_column.
CREATE FUNCTION tenancy.protect_column_of(relation regclass, target regclass, tenant_column name) RETURNS name
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT CASE WHEN relation = target THEN tenant_column
        ELSE (SELECT p.tenant_column FROM tenancy.protected_tables p WHERE p.relation = protect_column_of.relation) END;
END;
COMMENT ON FUNCTION tenancy.protect_column_of(regclass, regclass, name) IS
    'Internal: tenant column of a table that is protected or is about to be; NULL for others';
REVOKE ALL ON FUNCTION tenancy.protect_column_of(regclass, regclass, name) FROM PUBLIC;

-- Why a foreign key cannot get the tenant; NULL when it can.
CREATE FUNCTION tenancy.protect_reference_obstacle(reference pg_constraint, target regclass, tenant_column name) RETURNS text
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT CASE
        WHEN tenancy.protect_column_of(reference.conrelid, target, tenant_column) IS NULL
            THEN 'its table is not protected: protect it, too'
        WHEN reference.confmatchtype = 'f' AND cardinality(reference.conkey) > 1
            THEN 'MATCH FULL of several columns is not possible with a tenant that is never NULL'
        WHEN reference.confupdtype IN ('n', 'd')
            THEN 'ON UPDATE SET NULL or SET DEFAULT would change the tenant as well'
    END;
END;
COMMENT ON FUNCTION tenancy.protect_reference_obstacle(pg_constraint, regclass, name) IS
    'Internal: why a foreign key cannot include the tenant';
REVOKE ALL ON FUNCTION tenancy.protect_reference_obstacle(pg_constraint, regclass, name) FROM PUBLIC;

CREATE FUNCTION tenancy.protect_columns(relation regclass, numbers smallint[]) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY n.place)
    FROM unnest(numbers) WITH ORDINALITY n (attnum, place)
    JOIN pg_attribute a ON a.attrelid = relation AND a.attnum = n.attnum;
END;
COMMENT ON FUNCTION tenancy.protect_columns(regclass, smallint[]) IS 'Internal: column names for a statement, in order';
REVOKE ALL ON FUNCTION tenancy.protect_columns(regclass, smallint[]) FROM PUBLIC;

-- The foreign key with the tenant on both sides. SET NULL and SET DEFAULT name the columns that they
-- are about: the tenant must stay. MATCH FULL of one column is what MATCH SIMPLE is with the tenant.
CREATE FUNCTION tenancy.protect_reference_text(reference pg_constraint, tenant_column name, referenced_column name) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    actions CONSTANT jsonb := '{"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}';
    columns CONSTANT text := tenancy.protect_columns(reference.conrelid, reference.conkey);
    emptied CONSTANT text := coalesce(tenancy.protect_columns(reference.conrelid, reference.confdelsetcols), columns);
BEGIN
    RETURN format('FOREIGN KEY (%I, %s) REFERENCES %s (%I, %s) ON UPDATE %s ON DELETE %s', tenant_column, columns,
            reference.confrelid::regclass, referenced_column,
            tenancy.protect_columns(reference.confrelid, reference.confkey),
            actions ->> reference.confupdtype::text, actions ->> reference.confdeltype::text)
        || CASE WHEN reference.confdeltype IN ('n', 'd') THEN format(' (%s)', emptied) ELSE '' END
        || CASE WHEN reference.condeferrable THEN ' DEFERRABLE' ELSE '' END
        || CASE WHEN reference.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END;
END
$$;
COMMENT ON FUNCTION tenancy.protect_reference_text(pg_constraint, name, name) IS
    'Internal: definition of a foreign key with the tenant on both sides';
REVOKE ALL ON FUNCTION tenancy.protect_reference_text(pg_constraint, name, name) FROM PUBLIC;

-- Foreign keys by which tenants of a table reach rows that are not behind the wall, and those that a phase
-- left to be validated.
CREATE FUNCTION tenancy.protect_reference_steps(target regclass, tenant_column name) RETURNS SETOF tenancy.protect_step
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 7, k.conrelid::regclass, true, 'validate', format('ALTER TABLE %s VALIDATE CONSTRAINT %I', k.conrelid::regclass, k.conname),
        NULL::text, NULL::text[]
    FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
    WHERE k.contype = 'f' AND NOT k.convalidated AND target IN (k.conrelid, k.confrelid)
      AND a.attname = tenancy.protect_column_of(k.conrelid, target, tenant_column)
    UNION ALL
    SELECT (tenancy.protect_remark(target, format('foreign key %I points to %s, which is not protected: its rows are common to all tenants',
        k.conname, k.confrelid::regclass))).*
    FROM pg_constraint k
    WHERE k.contype = 'f' AND k.conrelid = target AND k.confrelid <> 'tenancy.tenants'::regclass
      AND tenancy.protect_column_of(k.confrelid, target, tenant_column) IS NULL;
END;
COMMENT ON FUNCTION tenancy.protect_reference_steps(regclass, name) IS
    'Internal: foreign keys left to validate, and remarks about those that leave the wall';
REVOKE ALL ON FUNCTION tenancy.protect_reference_steps(regclass, name) FROM PUBLIC;

-- The foreign keys that point to an index: how to drop each, its definition before, how to add and validate
-- it with the tenant. A partitioned table validates at once.
CREATE FUNCTION tenancy.protect_references(index regclass, own_column name, target regclass, tenant_column name)
    RETURNS TABLE (relation regclass, dropping text, old text, adding text, validating text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT c.oid::regclass, a.alter_table || format('DROP CONSTRAINT %I', k.conname),
        a.alter_table || format('ADD CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)),
        a.alter_table || format('ADD CONSTRAINT %I %s', k.conname, tenancy.protect_reference_text(k,
            tenancy.protect_column_of(k.conrelid, target, tenant_column), own_column))
            || CASE WHEN c.relkind = 'p' THEN '' ELSE ' NOT VALID' END,
        CASE WHEN c.relkind <> 'p' THEN a.alter_table || format('VALIDATE CONSTRAINT %I', k.conname) END
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid,
    LATERAL (SELECT format('ALTER TABLE %s ', k.conrelid::regclass)) a (alter_table)
    WHERE k.conindid = index AND k.contype = 'f' AND k.conparentid = 0
    ORDER BY c.oid::regclass::text, k.conname;
END;
COMMENT ON FUNCTION tenancy.protect_references(regclass, name, regclass, name) IS
    'Internal: the foreign keys that point to a key, before and after it gets the tenant';
REVOKE ALL ON FUNCTION tenancy.protect_references(regclass, name, regclass, name) FROM PUBLIC;
