-- What administrators see of verification: reasons of refusals, use of each key, the shared cache.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
\set expired `:issuer_tool forged expired`
\set tampered `:issuer_tool forged tampered`
\set none `:issuer_tool forged none`
\set rs256 `:issuer_tool rs256 acme alice`
CREATE TABLE counters_before (kind text, name text, count bigint);
DO $$ BEGIN INSERT INTO counters_before SELECT * FROM tenancy.token_counters(); END $$;
CREATE VIEW counted AS
    SELECT c.kind, c.name, c.count - coalesce(b.count, 0) AS count
    FROM tenancy.token_counters() c LEFT JOIN counters_before b USING (kind, name)
    WHERE c.count > coalesce(b.count, 0) AND c.name <> 'evictions';

-- each refusal counts under its reason, caught or not
SELECT tenancy.set_tenant_from_jwt(:'expired');
SELECT tenancy.set_tenant_from_jwt(:'none');
SELECT set_config('test.tampered', :'tampered', false) IS NULL AS no;
DO $$ BEGIN
    FOR i IN 1..3 LOOP
        BEGIN
            PERFORM tenancy.set_tenant_from_jwt(current_setting('test.tampered'));
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
END $$;
SELECT * FROM counted ORDER BY 1, 2;
SELECT count(*) = count(reason) AND bool_and(count > 0) AS good FROM tenancy.stat_tokens;

-- verified once, then met in this backend, then by another backend of the same server
SELECT tenancy.set_tenant_from_jwt(:'rs256');
SELECT tenancy.set_tenant_from_jwt(:'rs256');
SELECT name, count FROM counted WHERE kind = 'event' ORDER BY 1;
\c - :admin
SELECT tenancy.set_tenant_from_jwt(:'rs256');
SELECT name, count FROM counted WHERE kind = 'event' ORDER BY 1;

-- a change of the tenant is seen although the proof is shared, and costs no verification
SELECT tenancy.suspend_tenant('acme');
SELECT tenancy.set_tenant_from_jwt(:'rs256');
SELECT tenancy.resume_tenant('acme');
\c - :admin
SELECT tenancy.set_tenant_from_jwt(:'rs256');
SELECT name, count FROM counted WHERE kind = 'event' ORDER BY 1;

-- a change of the issuer's policy, and its way back: the fingerprint follows the content
SELECT tenancy.add_issuer('https://dev.issuer.example', '{other}', 'org_id');
SELECT tenancy.set_tenant_from_jwt(:'rs256');
\c - :admin
SELECT tenancy.set_tenant_from_jwt(:'rs256');
SELECT tenancy.add_issuer('https://dev.issuer.example', '{agents}', 'org_id');
SELECT tenancy.set_tenant_from_jwt(:'rs256');
SELECT name, count FROM counted WHERE kind = 'event' ORDER BY 1;

-- a retired key ends a shared proof, also in a backend that has never seen the token
SELECT tenancy.retire_key('https://dev.issuer.example', 'rsa');
\c - :admin
SELECT tenancy.set_tenant_from_jwt(:'rs256');
SELECT kid = 'rsa' AS is_rsa, state FROM tenancy.keys
    WHERE issuer = 'https://dev.issuer.example' AND (kid = 'rsa' OR state <> 'retired') ORDER BY 1;
SELECT count(*) FROM tenancy.load_jwks('https://dev.issuer.example', :'jwks');
SELECT tenancy.set_tenant_from_jwt(:'rs256');

-- a proof ends with its token, also for a backend that never saw it before
SELECT tenancy.add_issuer('https://dev.issuer.example', '{agents}', 'org_id', leeway_seconds => 0);
\set short `:issuer_tool rs256 acme alice 3`
SELECT tenancy.set_tenant_from_jwt(:'short');
\c - :admin
SELECT tenancy.set_tenant_from_jwt(:'short');
SELECT pg_sleep(3.1);
SELECT tenancy.set_tenant_from_jwt(:'short');
\c - :admin
SELECT tenancy.set_tenant_from_jwt(:'short');
SELECT tenancy.add_issuer('https://dev.issuer.example', '{agents}', 'org_id');

-- last use and count of a key
SELECT kid = 'rsa' AS is_rsa, state, use_count > 0 AS used, last_used_at > now() - interval '1 minute' AS lately
    FROM tenancy.keys WHERE issuer = 'https://dev.issuer.example' AND kid = 'rsa';
SELECT use_count AS uses FROM tenancy.keys WHERE kid = 'rsa' \gset
SELECT tenancy.set_tenant_from_jwt(:'rs256');
SELECT use_count - :uses AS more FROM tenancy.keys WHERE kid = 'rsa';

-- none of it is for the application
\c - regress_app
SELECT * FROM tenancy.stat_tokens;
SELECT * FROM tenancy.stat_token_cache;
SELECT * FROM tenancy.keys;
SELECT * FROM tenancy.token_counters();
SELECT * FROM tenancy.key_uses(1);
SELECT * FROM tenancy.crypto_status();
SET tenancy.fips = 'off';
\set VERBOSITY sqlstate
SHOW tenancy.fips_config; -- versions of PostgreSQL word it differently
\set VERBOSITY default
\c - :admin
SELECT fips, provider, provider_version = build_info AS one_build, self_test, problem, ready FROM tenancy.crypto_status();
DROP VIEW counted;
DROP TABLE counters_before;
