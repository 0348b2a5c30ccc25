-- The registry of protected tables: our own and those of tenancy.protect_table(). Owns the table only.
-- The module reads it by column position: only ever append columns.

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
COMMENT ON COLUMN tenancy.protected_tables.details IS 'What protect_table() changed, for unprotect_table()';

INSERT INTO tenancy.protected_tables (relation, tenant_column, added_column)
SELECT c.oid, 'tenant_id', false FROM pg_catalog.pg_class c
WHERE c.relnamespace OPERATOR(pg_catalog.=) 'agent'::regnamespace AND c.relkind OPERATOR(pg_catalog.=) 'r';
