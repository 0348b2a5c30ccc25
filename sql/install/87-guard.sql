-- The module keeps a copy of who is an application role and which tables are protected. These triggers
-- tell every backend of a change; registry_changed() is in 20-registry.sql.

CREATE TRIGGER registry_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tenancy.app_roles
    FOR EACH STATEMENT EXECUTE FUNCTION tenancy.registry_changed();
CREATE TRIGGER registry_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tenancy.protected_tables
    FOR EACH STATEMENT EXECUTE FUNCTION tenancy.registry_changed();
ALTER TABLE tenancy.app_roles ENABLE ALWAYS TRIGGER registry_changed;
ALTER TABLE tenancy.protected_tables ENABLE ALWAYS TRIGGER registry_changed;
