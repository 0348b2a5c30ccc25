-- Steps that put the tenant first in every primary key, unique key and B-tree index, and into the foreign
-- keys that point to them. What cannot is a remark: a key or index that mixes tenants tells about them.

CREATE TYPE tenancy.protect_index AS (
    index regclass, relation regclass, name name, is_identity boolean, partitioned boolean, method name, has_tenant boolean,
    key pg_constraint, definition text, old_head text, new_name name, new_head text);
COMMENT ON TYPE tenancy.protect_index IS
    'Internal: an index without the tenant in front; a head is a definition up to its first column';

CREATE FUNCTION tenancy.protect_indexes(target regclass, tenant_column name) RETURNS SETOF tenancy.protect_index
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT i.indexrelid::regclass, i.indrelid::regclass, c.relname, i.indisreplident, t.relkind = 'p', am.amname,
        coalesce(a.attnum = ANY (i.indkey::smallint[]), false), k, pg_get_indexdef(i.indexrelid),
        format('CREATE %sINDEX %I ON %s%I.%I USING %I (', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, c.relname,
            CASE WHEN t.relkind = 'p' THEN 'ONLY ' ELSE '' END, n.nspname, t.relname, am.amname),
        s.new_name, format('CREATE %sINDEX %I ON %I.%I USING %I (', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, s.new_name,
            n.nspname, t.relname, am.amname)
    FROM tenancy.protect_tree(target) m (r)
    JOIN pg_class t ON t.oid = m.r
    JOIN pg_namespace n ON n.oid = t.relnamespace
    JOIN pg_index i ON i.indrelid = t.oid
    JOIN pg_class c ON c.oid = i.indexrelid AND NOT c.relispartition
    JOIN pg_am am ON am.oid = c.relam
    CROSS JOIN LATERAL (SELECT tenancy.protect_name(c.relname, '_tenancy_new')::name) s (new_name)
    LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = tenant_column AND NOT a.attisdropped
    LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
    WHERE i.indkey[0] IS DISTINCT FROM a.attnum
    ORDER BY t.oid <> target, t.relname, k.contype IS DISTINCT FROM 'p', c.relname;
END;
COMMENT ON FUNCTION tenancy.protect_indexes(regclass, name) IS
    'Internal: indexes of a table and its partitions that do not start with the tenant';
REVOKE ALL ON FUNCTION tenancy.protect_indexes(regclass, name) FROM PUBLIC;

-- The step that builds the successor of an index; none when a phase before, or the user, has built it.
CREATE FUNCTION tenancy.protect_build_steps(old tenancy.protect_index, tenant_column name) RETURNS SETOF tenancy.protect_step
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    definition CONSTANT text := old.new_head || quote_ident(tenant_column) || ', '
        || substr(old.definition, length(old.old_head) + 1);
BEGIN
    IF left(old.definition, length(old.old_head)) <> old.old_head THEN
        RAISE EXCEPTION 'definition of index % is not understood', old.index
            USING ERRCODE = 'internal_error', DETAIL = old.definition;
    END IF;
    RETURN QUERY SELECT 5, old.relation, true, 'build index', definition,
        CASE WHEN NOT old.partitioned THEN 'or build it CONCURRENTLY beforehand, under this name' END, NULL::text[]
    WHERE NOT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = old.relation AND c.relname = old.new_name AND i.indisvalid AND pg_get_indexdef(c.oid) = definition);
END
$$;
COMMENT ON FUNCTION tenancy.protect_build_steps(tenancy.protect_index, name) IS
    'Internal: builds an index like another with the tenant in front';
REVOKE ALL ON FUNCTION tenancy.protect_build_steps(tenancy.protect_index, name) FROM PUBLIC;

-- What to run, in order, and what to run to have the old index or key again.
CREATE FUNCTION tenancy.protect_swap(old tenancy.protect_index, tenant_column name, OUT swap text[], OUT back text[])
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key_text CONSTANT text := pg_get_constraintdef((old.key).oid);
    change   CONSTANT text := format('ALTER TABLE %s DROP CONSTRAINT %s, ADD CONSTRAINT %2$s ',
                              old.relation, quote_ident((old.key).conname));
    remark   CONSTANT text := coalesce(obj_description((old.key).oid, 'pg_constraint'), obj_description(old.index, 'pg_class'));
    after    text[];
BEGIN
    IF (old.key).oid IS NULL THEN
        swap := ARRAY['DROP INDEX ' || old.index, format('ALTER INDEX %s%I RENAME TO %I', (SELECT quote_ident(n.nspname) || '.'
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = old.index), old.new_name, old.name)];
        back := ARRAY['DROP INDEX ' || old.index, old.definition];
    ELSIF old.partitioned THEN -- takes no ready index
        swap := ARRAY[change || overlay(key_text PLACING '(' || quote_ident(tenant_column) || ', ' FROM strpos(key_text, '(') FOR 1)];
        back := ARRAY[change || key_text];
    ELSE
        swap := ARRAY[change || CASE (old.key).contype WHEN 'p' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END
            || format(' USING INDEX %I', old.new_name) || CASE WHEN (old.key).condeferrable THEN ' DEFERRABLE' ELSE '' END
            || CASE WHEN (old.key).condeferred THEN ' INITIALLY DEFERRED' ELSE '' END];
        back := ARRAY[change || key_text];
    END IF;
    -- What hung on the old index goes with it.
    after := CASE WHEN old.is_identity THEN ARRAY[format('ALTER TABLE %s REPLICA IDENTITY USING INDEX %I', old.relation, old.name)] ELSE '{}' END
        || CASE WHEN remark IS NULL THEN '{}' ELSE ARRAY[CASE WHEN (old.key).oid IS NULL THEN format('COMMENT ON INDEX %s', old.index)
            ELSE format('COMMENT ON CONSTRAINT %I ON %s', (old.key).conname, old.relation) END || format(' IS %L', remark)] END;
    swap := swap || after;
    back := back || after;
END
$$;
COMMENT ON FUNCTION tenancy.protect_swap(tenancy.protect_index, name) IS
    'Internal: statements that put the successor of an index in its place, and those that undo it';
REVOKE ALL ON FUNCTION tenancy.protect_swap(tenancy.protect_index, name) FROM PUBLIC;

-- One index or key with everything that hangs on it. References are dropped before and added after the swap.
CREATE FUNCTION tenancy.protect_rekey_steps(old tenancy.protect_index, own_column name, target regclass, tenant_column name)
    RETURNS SETOF tenancy.protect_step
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    swapping  CONSTANT record := tenancy.protect_swap(old, own_column);
    reference record;
    drops     text[] := '{}';
    backs     text[] := '{}';
    one       text;
BEGIN
    IF NOT (old.partitioned AND (old.key).oid IS NOT NULL) THEN
        RETURN QUERY SELECT * FROM tenancy.protect_build_steps(old, own_column);
    END IF;
    FOR reference IN SELECT * FROM tenancy.protect_references(old.index, own_column, target, tenant_column) LOOP
        RETURN NEXT tenancy.protect_do(6, reference.relation, true, 'drop reference', reference.dropping);
        drops := drops || reference.dropping;
        backs := backs || reference.old;
    END LOOP;
    FOREACH one IN ARRAY swapping.swap LOOP
        RETURN NEXT tenancy.protect_do(6, old.relation, true, CASE WHEN one LIKE 'COMMENT%' THEN 'comment' ELSE 'tenant first' END, one, NULL,
            CASE WHEN one = swapping.swap[1] THEN drops || swapping.back || backs END);
    END LOOP;
    FOR reference IN SELECT * FROM tenancy.protect_references(old.index, own_column, target, tenant_column) LOOP
        RETURN NEXT tenancy.protect_do(6, reference.relation, true, 'add reference', reference.adding);
        IF reference.validating IS NOT NULL THEN
            RETURN NEXT tenancy.protect_do(7, reference.relation, true, 'validate', reference.validating);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION tenancy.protect_rekey_steps(tenancy.protect_index, name, regclass, name) IS
    'Internal: steps that put the tenant first in one index or key';
REVOKE ALL ON FUNCTION tenancy.protect_rekey_steps(tenancy.protect_index, name, regclass, name) FROM PUBLIC;

-- All indexes of a table, or those of wanted. own_column is its tenant column; target, with tenant_column,
-- is the table that is being protected and counts as protected.
CREATE FUNCTION tenancy.protect_key_steps(relation regclass, own_column name, target regclass, tenant_column name, wanted regclass[] DEFAULT NULL)
    RETURNS SETOF tenancy.protect_step
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    old      tenancy.protect_index;
    obstacle text;
BEGIN
    FOR old IN SELECT * FROM tenancy.protect_indexes(relation, own_column) LOOP
        CONTINUE WHEN NOT old.index = ANY (wanted);
        obstacle := CASE
            WHEN old.has_tenant THEN 'has the tenant, but not in front'
            WHEN (old.key).contype = 'x' THEN 'is an exclusion constraint: add the tenant by hand, WITH = (extension btree_gist)'
            WHEN old.method <> 'btree' THEN format('has access method %s: make it anew by hand with the tenant in front, where that has one', old.method)
            ELSE (SELECT 'stays as it is: ' || string_agg(format('foreign key %I of %s, %s', k.conname, k.conrelid::regclass, o), '; ' ORDER BY k.conname)
                  FROM pg_constraint k, tenancy.protect_reference_obstacle(k, target, tenant_column) o
                  WHERE k.conindid = old.index AND k.contype = 'f' AND k.conparentid = 0 AND o IS NOT NULL) END;
        IF obstacle IS NULL THEN
            RETURN QUERY SELECT * FROM tenancy.protect_rekey_steps(old, own_column, target, tenant_column);
        ELSE
            RETURN NEXT tenancy.protect_remark(old.relation, format('index %s mixes tenants and %s', old.index, obstacle));
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION tenancy.protect_key_steps(regclass, name, regclass, name, regclass[]) IS
    'Internal: steps that put the tenant first in the keys and indexes of a table';
REVOKE ALL ON FUNCTION tenancy.protect_key_steps(regclass, name, regclass, name, regclass[]) FROM PUBLIC;

-- A table without any index in front of which the tenant is, or will be, gets one on the tenant alone.
CREATE FUNCTION tenancy.protect_tenant_index_step(target regclass, tenant_column name) RETURNS SETOF tenancy.protect_step
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 5, target, true, 'build index', format('CREATE INDEX %I ON %s USING btree (%I)',
        tenancy.protect_name(c.relname, '_tenant'), target, tenant_column), NULL::text,
        ARRAY[format('DROP INDEX %I.%I', n.nspname, tenancy.protect_name(c.relname, '_tenant'))]
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = target AND NOT EXISTS (
        SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = target AND i.indisvalid AND i.indpred IS NULL AND a.attname = tenant_column)
      AND NOT EXISTS (
        SELECT FROM tenancy.protect_indexes(target, tenant_column) i JOIN pg_index x ON x.indexrelid = i.index
        WHERE i.relation = target AND x.indpred IS NULL AND i.method = 'btree' AND NOT i.has_tenant
          AND (i.key).contype IS DISTINCT FROM 'x' AND NOT EXISTS (
              SELECT FROM pg_constraint k WHERE k.conindid = i.index AND k.contype = 'f' AND k.conparentid = 0
                AND tenancy.protect_reference_obstacle(k, target, tenant_column) IS NOT NULL));
END;
COMMENT ON FUNCTION tenancy.protect_tenant_index_step(regclass, name) IS
    'Internal: an index on the tenant where no other starts with it';
REVOKE ALL ON FUNCTION tenancy.protect_tenant_index_step(regclass, name) FROM PUBLIC;
