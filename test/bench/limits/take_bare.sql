BEGIN;
SELECT tenancy.set_tenant_from_jwt(:token);
SELECT allowed FROM tenancy.take_rate(1, 1);
COMMIT;
