-- Rules of check_isolation() about keys and indexes: an error, a lock or a count that tells one tenant of
-- another's rows.

-- A key with the tenant put in front, as text: "(id)" becomes "(tenant_id, id)". Only the first list of
-- columns is touched, and for foreign keys the referenced one.
CREATE FUNCTION tenancy.check_with_tenant(definition text, tenant_column text, referenced_column text DEFAULT NULL) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN referenced_column IS NULL THEN d.text
        ELSE regexp_replace(d.text, '^((?:[^"]|"[^"]*")*? REFERENCES (?:[^("]|"[^"]*")+\()', '\1' || replace(referenced_column, '\', '\\') || ', ') END
    FROM (SELECT regexp_replace(definition, '^((?:[^("]|"[^"]*")*\()', '\1' || replace(tenant_column, '\', '\\') || ', ') AS text) d;
END;
COMMENT ON FUNCTION tenancy.check_with_tenant(text, text, text) IS 'Internal: a key''s definition with the tenant column in front';
REVOKE ALL ON FUNCTION tenancy.check_with_tenant(text, text, text) FROM PUBLIC;

-- Foreign keys between tables of tenants that do not pair tenant with tenant.
CREATE FUNCTION tenancy.check_loose_references(tables tenancy.checked_table[]) RETURNS TABLE (name name, child text, parent text, parent_oid oid,
        parent_index oid, definition text, child_column text, parent_column text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH t AS (SELECT * FROM unnest(tables) WHERE tenant_column IS NOT NULL)
    SELECT k.conname, c.name, p.name, p.relation, k.conindid, pg_get_constraintdef(k.oid), c.tenant_column, p.tenant_column
    FROM pg_constraint k JOIN t p ON p.relation = k.confrelid
    JOIN unnest(tables) c ON c.relation = k.conrelid
    WHERE k.contype = 'f' AND k.conparentid = 0 AND NOT coalesce(EXISTS (
        SELECT FROM unnest(k.conkey, k.confkey) AS pair (own, referenced) WHERE pair.own = c.tenant_attnum AND pair.referenced = p.tenant_attnum), false);
END;
COMMENT ON FUNCTION tenancy.check_loose_references(tenancy.checked_table[]) IS 'Internal: foreign keys to a protected table without the tenant';
REVOKE ALL ON FUNCTION tenancy.check_loose_references(tenancy.checked_table[]) FROM PUBLIC;

CREATE FUNCTION tenancy.check_unique_keys(tables tenancy.checked_table[]) RETURNS SETOF tenancy.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH loose AS (SELECT * FROM tenancy.check_loose_references(tables)),
    key AS (
        SELECT t.name AS tab, t.tenant_column AS tenant, i.indexrelid, i.indexrelid::regclass AS index, k.conname, k.contype,
            pg_get_constraintdef(k.oid) AS definition, pg_get_indexdef(i.indexrelid) AS indexdef, i.indisprimary,
            -- References to the key go away with it and come back with the tenant.
            (SELECT string_agg(format('ALTER TABLE %s DROP CONSTRAINT %I; ', l.child, l.name), '') FROM loose l WHERE l.parent_index = i.indexrelid) AS cut,
            (SELECT string_agg(format('; ALTER TABLE %s ADD CONSTRAINT %I %s', l.child, l.name,
                tenancy.check_with_tenant(l.definition, l.child_column, l.parent_column)), '') FROM loose l WHERE l.parent_index = i.indexrelid) AS tie,
            (SELECT bool_or(l.child_column IS NULL OR l.definition ~ 'SET (NULL|DEFAULT)') FROM loose l WHERE l.parent_index = i.indexrelid) AS stuck
        FROM unnest(tables) t JOIN pg_index i ON i.indrelid = t.relation AND i.indisunique
        LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u')
        WHERE t.tenant_column IS NOT NULL AND NOT t.tenant_attnum = ANY (i.indkey)
          AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid)
    )
    SELECT 'unique_key_without_tenant', 'high', coalesce(quote_ident(k.conname) || ' on ' || k.tab, k.index::text),
        'A duplicate of another tenant''s value is refused, or waited for: the error tells that it exists.',
        CASE WHEN k.stuck THEN '-- rewrite by hand the foreign keys that refer to it, then the key itself'
             WHEN k.conname IS NOT NULL THEN concat(k.cut, format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %2$I %s', k.tab, k.conname,
                 tenancy.check_with_tenant(k.definition, k.tenant)), k.tie)
             ELSE format('DROP INDEX %s; %s', k.index, tenancy.check_with_tenant(k.indexdef, k.tenant)) END
    FROM key k
    UNION ALL
    SELECT 'exclusion_without_tenant', 'high', format('%I on %s', k.conname, t.name),
        'A conflict with a row of another tenant is refused: the error tells that it exists.',
        format('-- add "%s WITH =" to the constraint (extension btree_gist)', t.tenant_column)
    FROM unnest(tables) t JOIN pg_constraint k ON k.conrelid = t.relation AND k.contype = 'x' AND k.conparentid = 0
    WHERE t.tenant_column IS NOT NULL AND NOT t.tenant_attnum = ANY (k.conkey);
END;
COMMENT ON FUNCTION tenancy.check_unique_keys(tenancy.checked_table[]) IS 'Internal: rules unique_key_without_tenant, exclusion_without_tenant';
REVOKE ALL ON FUNCTION tenancy.check_unique_keys(tenancy.checked_table[]) FROM PUBLIC;

CREATE FUNCTION tenancy.check_references(tables tenancy.checked_table[]) RETURNS SETOF tenancy.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH loose AS (SELECT * FROM tenancy.check_loose_references(tables))
    SELECT CASE WHEN l.child_column IS NULL THEN 'foreign_key_from_shared_table' ELSE 'foreign_key_without_tenant' END,
        CASE WHEN l.child_column IS NULL THEN 'medium' ELSE 'high' END, format('%I on %s', l.name, l.child),
        CASE WHEN l.child_column IS NULL THEN 'Rows of no tenant refer to a tenant''s: deleting tells of them or cascades into them.'
             ELSE 'It can point at a row of another tenant: that tells which ids exist, keeps them from being deleted, and cascades across tenants.' END,
        CASE WHEN l.child_column IS NULL OR l.definition ~ 'SET (NULL|DEFAULT)' THEN '-- give the referring table a tenant column, and the key its tenant'
             WHEN EXISTS (SELECT FROM pg_index i JOIN pg_index o ON o.indexrelid = l.parent_index
                 JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                 WHERE i.indrelid = l.parent_oid AND i.indisunique AND i.indpred IS NULL AND quote_ident(a.attname) = l.parent_column
                   AND (i.indkey::int2[])[1:i.indnkeyatts - 1] = (o.indkey::int2[])[0:o.indnkeyatts - 1])
             THEN format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %2$I %s', l.child, l.name,
                         tenancy.check_with_tenant(l.definition, l.child_column, l.parent_column))
             ELSE format('-- the fix of the key it refers to, %s, rewrites this reference, too', l.parent_index::regclass) END
    FROM loose l
    UNION ALL
    SELECT 'foreign_key_without_index', 'info', format('%I on %s', k.conname, t.name),
        'Deleting a referenced row scans this table, rows of all tenants.',
        format('CREATE INDEX ON %s (%s)', t.name, (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY u.n)
            FROM unnest(k.conkey) WITH ORDINALITY u (num, n) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num))
    FROM unnest(tables) t JOIN pg_constraint k ON k.conrelid = t.relation AND k.contype = 'f' AND k.conparentid = 0
    WHERE t.tenant_attnum = ANY (k.conkey) AND NOT EXISTS (
        SELECT FROM pg_index i WHERE i.indrelid = k.conrelid AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey);
END;
COMMENT ON FUNCTION tenancy.check_references(tenancy.checked_table[]) IS
    'Internal: rules foreign_key_without_tenant, foreign_key_from_shared_table, foreign_key_without_index';
REVOKE ALL ON FUNCTION tenancy.check_references(tenancy.checked_table[]) FROM PUBLIC;

CREATE FUNCTION tenancy.check_indexes(tables tenancy.checked_table[]) RETURNS SETOF tenancy.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH t AS (SELECT * FROM unnest(tables) WHERE tenant_column IS NOT NULL),
    x AS (
        SELECT t.*, i.indexrelid, i.indexrelid::regclass AS index, i.indkey, i.indkey[0] = t.tenant_attnum AS tenant_first, m.amname,
            t.tenant_attnum = ANY (i.indkey) AS has_tenant, EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype <> 'f') AS constrained, i.indisunique
        FROM t JOIN pg_index i ON i.indrelid = t.relation JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
        WHERE NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid)
    )
    SELECT 'index_not_tenant_first', 'medium', x.index::text,
        'A condition that finds rows of other tenants in it is seen in time, EXPLAIN and counters.',
        CASE WHEN x.constrained THEN '-- make its constraint again, with the tenant first'
             WHEN x.amname = 'btree' AND NOT x.has_tenant THEN format('DROP INDEX %s; %s', x.index, tenancy.check_with_tenant(pg_get_indexdef(x.indexrelid), x.tenant_column))
             ELSE format('-- index method %s: make it again with the tenant first (btree_gin, btree_gist), or partition by tenant', x.amname) END
    FROM x WHERE NOT x.tenant_first AND (x.has_tenant OR NOT x.indisunique AND NOT x.constrained)
    UNION ALL
    SELECT 'tenant_index_missing', 'low', t.name, 'Every query scans the rows of all tenants, and takes time for them.',
        format('CREATE INDEX ON %s (%s)', t.name, t.tenant_column)
    FROM t WHERE t.rls AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = t.relation AND i.indkey[0] = t.tenant_attnum)
    UNION ALL
    SELECT 'table_without_primary_key', 'info', t.name, 'Rows cannot be told apart by a key that starts with the tenant.', '-- add one'
    FROM t WHERE NOT t.child AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = t.relation AND i.indisprimary)
    UNION ALL
    SELECT 'index_duplicate', 'info', x.index::text, format('The same as index %s.', o.indexrelid::regclass), format('DROP INDEX %s', x.index)
    FROM x JOIN pg_index n ON n.indexrelid = x.indexrelid JOIN pg_index o ON o.indrelid = n.indrelid AND o.indexrelid < n.indexrelid
    WHERE (n.indkey::text, n.indclass::text, n.indcollation::text, n.indoption::text, n.indisunique) = (o.indkey::text, o.indclass::text, o.indcollation::text, o.indoption::text, o.indisunique)
      AND n.indpred IS NULL AND o.indpred IS NULL AND n.indexprs IS NULL AND o.indexprs IS NULL AND NOT x.constrained
    UNION ALL
    SELECT 'sequence_shared', 'medium', s.oid::regclass::text || ' of ' || t.name,
        'Its numbers tell every tenant how busy the others are' || CASE WHEN q.seqtypid <> 'int8'::regtype THEN ', and any tenant can use them up for all.' ELSE '.' END,
        format('-- use uuid keys, or numbers per tenant, in column %s', a.attname)
    FROM t JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.relation AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
    JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_sequence q ON q.seqrelid = s.oid
    JOIN pg_attribute a ON a.attrelid = t.relation AND a.attnum = d.refobjsubid
    UNION ALL
    SELECT 'sequence_settable', 'high', format('%s to %s', s.oid::regclass, g.name), 'setval() makes the next insert of every tenant fail.',
        format('REVOKE UPDATE ON SEQUENCE %s FROM %s', s.oid::regclass, g.name)
    FROM pg_class s, LATERAL aclexplode(s.relacl) a JOIN tenancy.check_grantees() g ON g.role = a.grantee WHERE s.relkind = 'S' AND a.privilege_type = 'UPDATE';
END;
COMMENT ON FUNCTION tenancy.check_indexes(tenancy.checked_table[]) IS
    'Internal: rules index_*, tenant_index_missing, table_without_primary_key, sequence_shared, sequence_settable';
REVOKE ALL ON FUNCTION tenancy.check_indexes(tenancy.checked_table[]) FROM PUBLIC;

-- Indexes that the planner cannot use for the application: of the operators that search a column, those
-- that are not LEAKPROOF have to wait for the wall, so all rows of the tenant are read.
CREATE FUNCTION tenancy.check_operators(tables tenancy.checked_table[]) RETURNS SETOF tenancy.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH searched AS ( -- the columns of indexes but the tenant, and expressions as column 0
        SELECT i.indexrelid::regclass AS index, u.attnum, u.class
        FROM unnest(tables) t JOIN pg_index i ON i.indrelid = t.relation, LATERAL unnest(i.indkey::int2[], i.indclass::oid[]) u (attnum, class)
        WHERE t.rls AND t.tenant_column IS NOT NULL AND i.indisvalid AND u.class IS NOT NULL AND u.attnum <> t.tenant_attnum
          AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid)
    ), operator AS (
        SELECT s.index, s.attnum, p.proleakproof AS leakproof, p.oid::regprocedure::text AS function,
            p.oid IN (SELECT f.signature::regprocedure FROM tenancy.leakproof_functions() f) AS curable
        FROM searched s JOIN pg_opclass c ON c.oid = s.class
        JOIN pg_amop a ON a.amopfamily = c.opcfamily AND a.amoplefttype = c.opcintype AND a.amoppurpose = 's'
        JOIN pg_operator o ON o.oid = a.amopopr JOIN pg_proc p ON p.oid = o.oprcode
    )
    SELECT 'leakproof_cure_missing', 'info', o.index::text,
        'Its operators are not LEAKPROOF: behind the wall it is not used for them, and all rows of the tenant are read. pg_upgrade and restores lose the cure.',
        string_agg(DISTINCT format('ALTER FUNCTION pg_catalog.%s LEAKPROOF', o.function), '; ')
    FROM operator o WHERE o.curable AND NOT o.leakproof GROUP BY o.index
    UNION ALL
    SELECT 'index_blocked_by_wall', 'info', s.index::text,
        'No operator of a column in it is LEAKPROOF, or the column is an expression: behind the wall it is not used for that, and all rows of the tenant are read.',
        '-- keep what is searched in a column of its own (GENERATED ALWAYS AS ... STORED) of type text, bigint, uuid or timestamptz, and index that'
    FROM searched s
    WHERE s.attnum = 0 OR NOT EXISTS (SELECT FROM operator o WHERE o.index = s.index AND o.attnum = s.attnum AND (o.leakproof OR o.curable))
    GROUP BY s.index;
END;
COMMENT ON FUNCTION tenancy.check_operators(tenancy.checked_table[]) IS 'Internal: rules leakproof_cure_missing, index_blocked_by_wall';
REVOKE ALL ON FUNCTION tenancy.check_operators(tenancy.checked_table[]) FROM PUBLIC;
