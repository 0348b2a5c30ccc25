-- tenancyd.sql: a tenant with a price, a rate and a budget that never run out. psql variable: jwks.
CREATE EXTENSION pg_tenancy;
SELECT tenancy.add_issuer('https://dev.issuer.example', '{agents}', 'org_id');
SELECT * FROM tenancy.load_jwks('https://dev.issuer.example', :'jwks');
SELECT tenancy.add_tenant('tenant-1', 'https://dev.issuer.example', 'tenant-1');
CREATE ROLE bench_app LOGIN;
SELECT tenancy.grant_app('bench_app');
SELECT tenancy.set_price('m', 1, 1);
SELECT tenancy.set_budget('tenant-1', 'total', 1000000);
SELECT tenancy.set_rate_limit('tenant-1', 60000000, burst => 60000000);
