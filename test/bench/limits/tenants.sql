-- tenants.sql: 100,000 tenants more, each with a budget and a rate of its own.
INSERT INTO tenancy.tenants (tenant_id) SELECT 'many-' || n FROM generate_series(1, 100000) n;
INSERT INTO tenancy.tenant_claims (issuer, claim_value, tenant_id)
SELECT 'https://dev.issuer.example', 'many-' || n, 'many-' || n FROM generate_series(1, 100000) n;
INSERT INTO tenancy.budgets (tenant_id, scope, period, time_zone, limit_picodollars, mode, valid_from, valid_until)
SELECT 'many-' || n, 'tenant', 'month', 'UTC', 1000000, 'enforce', '-infinity', 'infinity' FROM generate_series(1, 100000) n;
INSERT INTO tenancy.rate_limits SELECT 'many-' || n, 600, 600, NULL, NULL, now(), NULL FROM generate_series(1, 100000) n;
ANALYZE;
