-- Rules of tokens that only show in a server: sizes of arguments, read-only transactions, foreign search
-- paths and roles, and keys that change under verdicts which were remembered.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
\set iss 'https://dev.issuer.example'
\c - regress_app

-- an argument beyond the limit is refused before it is read; a million dots and a toasted token too
SELECT tenancy.set_tenant_from_jwt(repeat('a', 100000000));
SELECT tenancy.set_tenant_from_jwt(repeat('.', 1000000));
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice' || repeat('A', 20000));

-- a token in one line with what editors and proxies add
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice' || E'\n');
SELECT tenancy.set_tenant_from_jwt('Bearer ' || :'token_acme_alice');
SELECT tenancy.set_tenant_from_jwt(E'\uFEFF' || :'token_acme_alice');

-- verification writes nothing
BEGIN READ ONLY;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT tenancy.current_tenant();
COMMIT;
SET default_transaction_read_only = on;
SELECT tenancy.set_tenant_from_jwt(:'token_globex_carol');
RESET default_transaction_read_only;

-- functions and operators of the caller's own, first in the path, decide nothing
\c - :admin
CREATE SCHEMA regress_evil AUTHORIZATION regress_app;
ALTER ROLE regress_app SET tenancy.guard = 'create'; -- so that there is something in the path
\c - regress_app
CREATE FUNCTION regress_evil.always(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR regress_evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = regress_evil.always);
CREATE FUNCTION regress_evil.current_tenant() RETURNS text LANGUAGE sql AS 'SELECT ''globex''::text';
SET search_path = regress_evil, pg_catalog;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_bob');
SELECT tenancy.current_tenant(), count(*) FILTER (WHERE tenant_id OPERATOR(pg_catalog.<>) 'acme') AS others FROM agent.sessions;
COMMIT;
RESET search_path;
\c - :admin
DROP SCHEMA regress_evil CASCADE;
ALTER ROLE regress_app RESET tenancy.guard;

-- a context of one role is that of no other token, whoever runs it
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SET LOCAL ROLE regress_app;
SELECT tenancy.current_tenant();
SELECT tenancy.set_tenant_from_jwt(:'token_globex_carol');
ROLLBACK;

-- one kid, other material: what the old key proved ends, in this session and in the next
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT kid AS es_kid FROM tenancy.keys WHERE issuer = :'iss' AND algorithm = 'ES256' AND state = 'active' \gset
SELECT jsonb_build_object('keys', jsonb_build_array(jsonb_build_object('kty', 'EC', 'crv', 'P-256', 'kid', :'es_kid',
    'x', 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU', 'y', 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0')))::text AS other \gset
SELECT outcome FROM tenancy.load_jwks(:'iss', :'other', '1 hour') WHERE kid = :'es_kid' ORDER BY 1;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
\c - :admin
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT count(*) FROM tenancy.load_jwks(:'iss', :'jwks') WHERE outcome = 'active';
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');

-- a key that comes after its first token: refused, then good without a new session
SELECT count(*) FROM tenancy.load_jwks(:'iss', (:'jwks'::jsonb #- '{keys,0}')::text);
SELECT tenancy.set_tenant_from_jwt(:'token_acme_bob');
SELECT count(*) FROM tenancy.load_jwks(:'iss', :'jwks') WHERE outcome = 'active';
SELECT tenancy.set_tenant_from_jwt(:'token_acme_bob');

-- one name in two Unicode forms is two names: bytes are compared, nothing is normalized
SELECT tenancy.add_tenant('cafe', :'iss', E'caf\u00e9');
\set nfc `:issuer_tool claims "$(printf '{"iss":"https://dev.issuer.example","aud":"agents","org_id":"caf\\u00e9","exp":%d}' $(($(date +%s) + 600)))"`
\set nfd `:issuer_tool claims "$(printf '{"iss":"https://dev.issuer.example","aud":"agents","org_id":"cafe\\u0301","exp":%d}' $(($(date +%s) + 600)))"`
SELECT tenancy.set_tenant_from_jwt(:'nfc');
SELECT tenancy.set_tenant_from_jwt(:'nfd');
DELETE FROM tenancy.tenant_claims WHERE tenant_id = 'cafe';
DELETE FROM tenancy.tenants WHERE tenant_id = 'cafe';

-- a SECURITY DEFINER function sees the caller's tenant, and cannot be used to become another
CREATE FUNCTION regress_definer(token text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS
    $$ BEGIN RETURN coalesce(tenancy.set_tenant_from_jwt(token), tenancy.current_tenant()); END $$;
GRANT EXECUTE ON FUNCTION regress_definer(text) TO regress_app;
\c - regress_app
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT regress_definer(:'token_acme_bob');
SELECT regress_definer(:'token_globex_carol');
ROLLBACK;
\c - :admin
DROP FUNCTION regress_definer(text);

-- old providers write nbf 0
\set nbf `:issuer_tool claims "$(printf '{"iss":"https://dev.issuer.example","aud":"agents","org_id":"acme","sub":"s","nbf":0,"iat":0,"exp":%d}' $(($(date +%s) + 600)))"`
SELECT tenancy.set_tenant_from_jwt(:'nbf');
DELETE FROM tenancy.signing_keys WHERE issuer = :'iss' AND state = 'retiring';
