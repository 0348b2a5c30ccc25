-- The whole plan of protect_table(), computed from the catalog. It names no step that is done already, so a
-- second run has none, and a run that was interrupted goes on.

-- Rows of the registry: of the table, its partitions, and of referenced tables whose keys changed with it.
CREATE FUNCTION tenancy.protect_register_steps(target regclass, tenant_column name, steps tenancy.protect_step[])
    RETURNS SETOF tenancy.protect_step
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH undo AS ( -- each relation keeps its own, so that a partition that leaves takes it along
        SELECT s.relation, jsonb_agg(to_jsonb(s.undo) ORDER BY s.place) AS groups
        FROM unnest(steps) WITH ORDINALITY s (phase, relation, as_owner, action, statement, note, undo, place)
        WHERE s.undo IS NOT NULL GROUP BY s.relation)
    SELECT 6, t.r, false, 'register', format('INSERT INTO tenancy.protected_tables AS p (relation, tenant_column, added_column, details) '
        'VALUES (%L, %L, %L, %L) ON CONFLICT (relation) DO UPDATE SET details = pg_catalog.jsonb_set(p.details, ''{undo}'', '
        'COALESCE(p.details -> ''undo'', ''[]'') OPERATOR(pg_catalog.||) COALESCE(excluded.details -> ''undo'', ''[]''))',
        t.r, t.tenant_column, t.added,
        CASE WHEN u.groups IS NULL THEN '{}' ELSE jsonb_build_object('undo', u.groups) END), NULL::text, NULL::text[]
    FROM (SELECT m.r, protect_register_steps.tenant_column,
            NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = target AND a.attname = protect_register_steps.tenant_column
                AND col_description(a.attrelid, a.attnum) IS DISTINCT FROM tenancy.protect_column_comment()) AS added
          FROM tenancy.protect_tree(target) m (r)
          UNION SELECT p.relation, p.tenant_column, p.added_column FROM undo x JOIN tenancy.protected_tables p ON p.relation = x.relation
          WHERE p.relation NOT IN (SELECT * FROM tenancy.protect_tree(target))) t (r, tenant_column, added)
    LEFT JOIN undo u ON u.relation = t.r
    WHERE u.groups IS NOT NULL OR NOT EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = t.r)
    ORDER BY t.r <> target, t.r::text;
END;
COMMENT ON FUNCTION tenancy.protect_register_steps(regclass, name, tenancy.protect_step[]) IS
    'Internal: puts the table, its partitions and how to undo each step on record';
REVOKE ALL ON FUNCTION tenancy.protect_register_steps(regclass, name, tenancy.protect_step[]) FROM PUBLIC;

-- Keys of protected tables that kept their old form only because of a reference from this table.
CREATE FUNCTION tenancy.protect_referenced_key_steps(target regclass, tenant_column name) RETURNS SETOF tenancy.protect_step
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT s.* FROM (
        SELECT p.relation, p.tenant_column, array_agg(k.conindid::regclass) AS keys
        FROM pg_constraint k JOIN tenancy.protected_tables p ON p.relation = k.confrelid
        WHERE k.contype = 'f' AND k.conparentid = 0 AND k.conrelid = target AND k.confrelid <> target
        GROUP BY p.relation, p.tenant_column) r,
    LATERAL tenancy.protect_key_steps(r.relation, r.tenant_column, target, protect_referenced_key_steps.tenant_column, r.keys) s
    WHERE s.statement IS NOT NULL OR strpos(s.note, 'stays as it is') > 0;
END;
COMMENT ON FUNCTION tenancy.protect_referenced_key_steps(regclass, name) IS
    'Internal: steps that put the tenant first in keys of other protected tables that this one references';
REVOKE ALL ON FUNCTION tenancy.protect_referenced_key_steps(regclass, name) FROM PUBLIC;

CREATE FUNCTION tenancy.protect_plan(target regclass, tenant_column name, backfill_tenant text, backfill text)
    RETURNS SETOF tenancy.protect_step
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    steps tenancy.protect_step[];
BEGIN
    steps := ARRAY(
        SELECT s FROM tenancy.protect_column_steps(target, tenant_column, backfill_tenant, backfill) s
        UNION ALL SELECT s FROM tenancy.protect_key_steps(target, tenant_column, target, tenant_column) s
        UNION ALL SELECT s FROM tenancy.protect_tenant_index_step(target, tenant_column) s
        UNION ALL SELECT s FROM tenancy.protect_referenced_key_steps(target, tenant_column) s
        UNION ALL SELECT s FROM tenancy.protect_tree(target) t (r), LATERAL tenancy.protect_policy_steps(t.r, tenant_column) s
        UNION ALL SELECT s FROM tenancy.protect_tree(target) t (r), LATERAL tenancy.protect_privilege_steps(t.r) s
        UNION ALL SELECT s FROM tenancy.protect_reference_steps(target, tenant_column) s
        UNION ALL SELECT s FROM tenancy.protect_remarks(target) s);
    RETURN QUERY
        SELECT s.phase, s.relation, s.as_owner, s.action, s.statement, s.note, s.undo FROM (
            SELECT * FROM unnest(steps) WITH ORDINALITY
            UNION ALL SELECT r.*, cardinality(steps) + 1 FROM tenancy.protect_register_steps(target, tenant_column, steps) r
        ) s (phase, relation, as_owner, action, statement, note, undo, place)
        ORDER BY s.phase, s.place;
END
$$;
COMMENT ON FUNCTION tenancy.protect_plan(regclass, name, text, text) IS
    'Internal: what is missing for a table to be protected, in order';
REVOKE ALL ON FUNCTION tenancy.protect_plan(regclass, name, text, text) FROM PUBLIC;
