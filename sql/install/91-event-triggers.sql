-- Last, so that they do not fire for this script.

CREATE EVENT TRIGGER tenancy_protect_ddl ON ddl_command_end
    WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE', 'CREATE MATERIALIZED VIEW',
        'ALTER MATERIALIZED VIEW', 'CREATE FOREIGN TABLE', 'ALTER FOREIGN TABLE', 'IMPORT FOREIGN SCHEMA', 'ALTER SCHEMA')
    EXECUTE FUNCTION tenancy.protect_ddl();
COMMENT ON EVENT TRIGGER tenancy_protect_ddl IS 'Protects or refuses new tables and partitions, see tenancy.protect_schema()';

CREATE EVENT TRIGGER tenancy_protect_drop ON sql_drop EXECUTE FUNCTION tenancy.protect_drop();
COMMENT ON EVENT TRIGGER tenancy_protect_drop IS 'Takes dropped tables out of tenancy.protected_tables';
