-- setup.sql: ten tenants, a price, a budget and a rate that never run out. psql variable: jwks.
CREATE EXTENSION pg_tenancy;
SELECT tenancy.add_issuer('https://dev.issuer.example', '{agents}', 'org_id');
SELECT * FROM tenancy.load_jwks('https://dev.issuer.example', :'jwks');
SELECT tenancy.add_tenant('tenant-' || n, 'https://dev.issuer.example', 'tenant-' || n) FROM generate_series(1, 10) n;
SELECT NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'regress_app') AS no_app \gset
\if :no_app
CREATE ROLE regress_app LOGIN;
\endif
SELECT tenancy.grant_app('regress_app');
SELECT tenancy.set_price('m', 1, 1);
SELECT tenancy.set_budget('tenant-1', 'total', 1000000);
SELECT tenancy.set_rate_limit(NULL, 60000000, burst => 60000000);

-- Hold and settle with nothing around them: no request, no token, no trace, no audit row.
CREATE SCHEMA bench;
GRANT USAGE ON SCHEMA bench TO regress_app;
CREATE TABLE bench.holds (tenant_id text, turn_id bigint GENERATED ALWAYS AS IDENTITY, money bigint, at timestamptz, PRIMARY KEY (tenant_id, turn_id));
CREATE TABLE bench.charges (tenant_id text, turn_id bigint, money bigint, at timestamptz, PRIMARY KEY (tenant_id, turn_id));
CREATE FUNCTION bench.hold(OUT turn bigint, OUT at timestamptz) LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    at := clock_timestamp();
    IF tenancy.hold(ROW('tenant-1', NULL, 'someone', 'm', at), 100, 100) IS NOT NULL THEN
        RAISE EXCEPTION 'over the limit';
    END IF;
    INSERT INTO bench.holds (tenant_id, money, at) VALUES ('tenant-1', 100, at) RETURNING turn_id INTO turn;
END $$;
CREATE FUNCTION bench.settle(turn bigint, at timestamptz) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM tenancy.lock_ledger('tenant-1', false);
    DELETE FROM bench.holds h WHERE h.tenant_id = 'tenant-1' AND h.turn_id = turn;
    INSERT INTO bench.charges VALUES ('tenant-1', turn, 40, at);
    PERFORM tenancy.settle(ROW('tenant-1', NULL, 'someone', 'm', at), 100, 100, 40, 40, 1);
END $$;
