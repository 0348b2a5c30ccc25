-- The registry of protected tables: our own and those of tenancy.protect_table(). Owns the table, and the
-- words that the pieces 87 share. The module reads the table by column position: only ever append columns.

CREATE TABLE tenancy.protected_tables (
    relation      regclass PRIMARY KEY,
    tenant_column name NOT NULL,
    added_column  boolean NOT NULL,
    protected_at  timestamptz NOT NULL DEFAULT pg_catalog.now(),
    details       jsonb NOT NULL DEFAULT '{}' CHECK (pg_catalog.jsonb_typeof(details) = 'object')
);
REVOKE ALL ON TABLE tenancy.protected_tables FROM PUBLIC;
COMMENT ON TABLE tenancy.protected_tables IS
    'Tables behind the wall, partitions included. Written by protect_table() and unprotect_table()';
COMMENT ON COLUMN tenancy.protected_tables.relation IS 'The table; a dump carries its name';
COMMENT ON COLUMN tenancy.protected_tables.added_column IS
    'Whether protect_table() added the tenant column, so that unprotect_table() may drop it';
COMMENT ON COLUMN tenancy.protected_tables.details IS
    'undo: groups of statements that unprotect_table() runs with the rights of the table''s owner';

INSERT INTO tenancy.protected_tables (relation, tenant_column, added_column)
SELECT c.oid, 'tenant_id', false FROM pg_catalog.pg_class c
WHERE c.relkind OPERATOR(pg_catalog.=) 'r' AND (c.relnamespace OPERATOR(pg_catalog.=) 'agent'::regnamespace
    OR c.oid OPERATOR(pg_catalog.=) 'tenancy.alerts'::regclass);

-- A role with tenancy.grant_protect() sees and writes the rows of tables that it owns.
ALTER TABLE tenancy.protected_tables ENABLE ROW LEVEL SECURITY;
CREATE POLICY owners ON tenancy.protected_tables
    USING (EXISTS (SELECT FROM pg_catalog.pg_class c
                   WHERE c.oid = relation AND pg_catalog.pg_has_role(c.relowner, 'USAGE')));
COMMENT ON POLICY owners ON tenancy.protected_tables IS 'Each table''s own owner';

CREATE TYPE tenancy.protect_step AS (
    phase int, relation regclass, as_owner boolean, action text, statement text, note text, undo text[]);
COMMENT ON TYPE tenancy.protect_step IS
    'One statement of protect_table() about a relation, run with the rights of its owner or of the caller. '
    'Phases commit one by one: 1 column, 2 backfill, 3 default, 4 validation, 5 indexes, 6 the switch, 7 references. '
    'Without a statement it is a remark';

CREATE FUNCTION tenancy.run_as_owner(relation regclass, statement text) RETURNS text
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'pgt_run_as_owner';
COMMENT ON FUNCTION tenancy.run_as_owner(regclass, text) IS
    'Internal: runs a statement with the rights of the relation''s owner, security-restricted; returns the first value';
REVOKE ALL ON FUNCTION tenancy.run_as_owner(regclass, text) FROM PUBLIC;

-- A table and its partitions on every level.
CREATE FUNCTION tenancy.protect_tree(target regclass) RETURNS SETOF regclass
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT target UNION ALL SELECT t.relid FROM pg_partition_tree(target) t WHERE t.relid <> target;
END;
COMMENT ON FUNCTION tenancy.protect_tree(regclass) IS 'Internal: the table and all its partitions';
REVOKE ALL ON FUNCTION tenancy.protect_tree(regclass) FROM PUBLIC;

CREATE FUNCTION tenancy.protect_name(base text, suffix text) RETURNS text
    LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT CASE WHEN octet_length(base || suffix) <= 63 THEN base ELSE left(md5(base), 16) END || suffix;
END;
COMMENT ON FUNCTION tenancy.protect_name(text, text) IS 'Internal: a name of at most 63 bytes';
REVOKE ALL ON FUNCTION tenancy.protect_name(text, text) FROM PUBLIC;

CREATE FUNCTION tenancy.protect_remark(relation regclass, note text) RETURNS tenancy.protect_step
    LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT ROW(8, relation, false, 'note', NULL, note, NULL)::tenancy.protect_step;
END;
COMMENT ON FUNCTION tenancy.protect_remark(regclass, text) IS 'Internal: a step that is only a remark';
REVOKE ALL ON FUNCTION tenancy.protect_remark(regclass, text) FROM PUBLIC;

CREATE FUNCTION tenancy.protect_do(phase int, relation regclass, as_owner boolean, action text, statement text,
        note text DEFAULT NULL, undo text[] DEFAULT NULL) RETURNS tenancy.protect_step
    LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT ROW(phase, relation, as_owner, action, statement, note, undo)::tenancy.protect_step;
END;
COMMENT ON FUNCTION tenancy.protect_do(int, regclass, boolean, text, text, text, text[]) IS 'Internal: a step';
REVOKE ALL ON FUNCTION tenancy.protect_do(int, regclass, boolean, text, text, text, text[]) FROM PUBLIC;
