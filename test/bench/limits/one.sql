BEGIN;
SELECT tenancy.set_tenant_from_jwt(:token);
SELECT 1;
COMMIT;
