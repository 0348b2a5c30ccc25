-- The role of tenancyd sync-keys: loads keys for trusted issuers and can do nothing else.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
\set iss 'https://dev.issuer.example'
CREATE ROLE regress_keys LOGIN;
SELECT tenancy.grant_key_sync('regress_app');
SELECT tenancy.grant_key_sync('regress_keys');
SELECT tenancy.grant_key_sync('regress_keys');

-- every other function of the extension stays closed to it
SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace IN ('tenancy'::regnamespace, 'agent'::regnamespace)
      AND has_function_privilege('regress_keys', p.oid, 'EXECUTE') ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT c.oid::regclass FROM pg_class c
    WHERE c.relnamespace IN ('tenancy'::regnamespace, 'agent'::regnamespace) AND c.relkind IN ('r', 'v')
      AND has_table_privilege('regress_keys', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER');

\c - regress_keys
SELECT algorithm, outcome FROM tenancy.load_jwks(:'iss', :'jwks', '1 minute') ORDER BY 1;
SELECT tenancy.load_jwks('https://nobody.example', :'jwks');
SELECT tenancy.add_issuer('https://evil.example', '{agents}');
SELECT * FROM tenancy.signing_keys;

-- a token that names a key which is not there is counted for its issuer, garbage for nobody
SELECT unknown_kids AS before FROM tenancy.key_sync_state() WHERE issuer = :'iss' \gset
\c - :admin
SELECT count(*) FROM tenancy.load_jwks(:'iss', (:'jwks'::jsonb #- '{keys,1}')::text);
DELETE FROM tenancy.signing_keys WHERE kid = 'rsa';
\set rs256 `:issuer_tool rs256 acme alice`
\c - regress_app
SELECT tenancy.set_tenant_from_jwt(:'rs256');
SELECT tenancy.set_tenant_from_jwt(:'rs256');
SELECT tenancy.set_tenant_from_jwt('eyJ.eyJ.eyJ');
SELECT tenancy.key_sync_state();
\c - regress_keys
SELECT unknown_kids - :before AS counted FROM tenancy.key_sync_state() WHERE issuer = :'iss';
SELECT algorithm, outcome FROM tenancy.load_jwks(:'iss', :'jwks') WHERE outcome = 'active' ORDER BY 1;
\c - regress_app
SELECT tenancy.set_tenant_from_jwt(:'rs256');

-- keys that nobody confirms any more verify nothing, remembered proofs neither, until somebody does
SELECT tenancy.keep_keys(:'iss', NULL);
\c - regress_keys
SELECT tenancy.keep_keys(:'iss', '1 hour') BETWEEN now() + interval '59 min' AND now() + interval '61 min' AS in_an_hour;
\c - regress_app
SELECT tenancy.set_tenant_from_jwt(:'rs256');
\c - regress_keys
SELECT tenancy.keep_keys(:'iss', '0') <= clock_timestamp() AS now;
SELECT tenancy.keep_keys('https://nobody.example', '1 hour');
\c - regress_app
SELECT tenancy.set_tenant_from_jwt(:'rs256');
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
\c - :admin
SELECT state, count(*) FROM tenancy.keys WHERE issuer = :'iss' AND state <> 'retired' GROUP BY 1;
SELECT count >= 2 AS counted FROM tenancy.stat_tokens WHERE reason = 'key_not_valid_now';
SELECT tenancy.add_issuer(:'iss', '{agents}', 'org_id') IS NOT NULL AS policy_again;
SELECT tenancy.set_tenant_from_jwt(:'rs256');
SELECT tenancy.keep_keys(:'iss', '2 seconds') > clock_timestamp() AS kept;
SELECT tenancy.set_tenant_from_jwt(:'rs256');
SELECT pg_sleep(2.1);
SELECT tenancy.set_tenant_from_jwt(:'rs256');
SELECT tenancy.keep_keys(:'iss', NULL);
SELECT tenancy.set_tenant_from_jwt(:'rs256');

-- one session at a time
\c - regress_keys
SELECT tenancy.key_sync_lock(), tenancy.key_sync_lock();
SELECT tenancy.instance_lock('tenancyd sync-keys');
\c - :admin
DROP OWNED BY regress_keys;
DROP ROLE regress_keys;
