-- The tenant context: a verified token is the context of its transaction, and of nothing else.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
ALTER ROLE regress_app SET tenancy.guard = 'create, prepare'; -- helpers of the test
TRUNCATE agent.sessions CASCADE;
\c - regress_app
CREATE FUNCTION pg_temp.attempt(token text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    RETURN tenancy.set_tenant_from_jwt(token);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
    RETURN sqlstate || ' ' || sqlerrm || ' ' || said;
END $$;

-- without a token there is no tenant, and no default
SELECT tenancy.current_tenant();
SELECT tenancy.current_tenant_or_null() IS NULL AS none, tenancy.current_subject() IS NULL AS nobody;
SELECT count(*) FROM agent.sessions;

-- a good token is the context until the transaction ends
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT tenancy.current_tenant(), tenancy.current_subject(), tenancy.current_issuer();
SELECT tenancy.current_claims() ->> 'org_id' AS org_id;
COMMIT;
SELECT tenancy.current_tenant_or_null() IS NULL AS gone_after_commit;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
ROLLBACK;
SELECT tenancy.current_tenant_or_null() IS NULL AS gone_after_rollback;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
COMMIT AND CHAIN;
SELECT tenancy.current_tenant_or_null() IS NULL AS gone_after_chain;
COMMIT;

-- RS256 is accepted as well
\set rs256 `:issuer_tool rs256 globex dora`
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'rs256'), tenancy.current_subject();
COMMIT;

-- SET LOCAL is verified by the first use, under the same rules
BEGIN;
SET LOCAL tenancy.token = :'token_globex_carol';
SELECT tenancy.current_tenant(), tenancy.current_subject();
COMMIT;
BEGIN;
SET LOCAL tenancy.token = 'not a token';
SELECT tenancy.current_tenant();
ROLLBACK;
BEGIN;
SET LOCAL tenancy.token = 'not a token';
SELECT tenancy.current_tenant_or_null();
ROLLBACK;

-- a token left behind by a session-level SET is dead in the next transaction
SET tenancy.token = :'token_acme_alice';
SELECT tenancy.current_tenant();
BEGIN;
SELECT tenancy.current_tenant_or_null() IS NULL AS dead;
ROLLBACK;
RESET tenancy.token;
-- (set_config() would show the value it set, so it is refused)
SELECT set_config('tenancy.token', :'token_acme_alice', false) IS NOT NULL AS left_behind;
SELECT tenancy.current_tenant_or_null() IS NULL AS dead;

-- so is one that comes with the connection, or is written to look bound to a transaction
\set options 'options=\'-c tenancy.token=' :token_acme_alice '\' user=regress_app dbname=' :DBNAME
\c :options
SELECT tenancy.current_tenant_or_null() IS NULL AS dead;
BEGIN;
SELECT '4294967295:' || :'token_acme_alice' AS forged_prefix \gset
SET LOCAL tenancy.token = :'forged_prefix';
SELECT tenancy.current_tenant();
ROLLBACK;
\c - regress_app

-- nobody but a superuser can read the setting back
SHOW tenancy.token;
SELECT current_setting('tenancy.token');
SELECT count(*) FROM pg_settings WHERE name = 'tenancy.token';
SET tenancy.context_scope = 'session';

-- ROLLBACK TO SAVEPOINT restores the context the savepoint saw
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SAVEPOINT s;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_bob'), tenancy.current_subject();
ROLLBACK TO s;
SELECT tenancy.current_tenant(), tenancy.current_subject();
COMMIT;
BEGIN;
SAVEPOINT s;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
ROLLBACK TO s;
SELECT tenancy.current_tenant_or_null() IS NULL AS none_as_before;
SELECT tenancy.set_tenant_from_jwt(:'token_globex_carol');
ROLLBACK;

-- within one transaction the first tenant wins
CREATE FUNCTION pg_temp.attempt(token text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    RETURN tenancy.set_tenant_from_jwt(token);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
    RETURN sqlstate || ' ' || sqlerrm || ' ' || said;
END $$;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT pg_temp.attempt(:'token_globex_carol');
SELECT tenancy.current_tenant_or_null() IS NULL AS refusal_left_nothing;
SELECT pg_temp.attempt(:'token_acme_bob'), tenancy.current_subject();
SELECT tenancy.clear_tenant();
SELECT tenancy.current_tenant_or_null() IS NULL AS cleared;
SELECT pg_temp.attempt(:'token_globex_carol');
ROLLBACK;

-- a refusal that is caught leaves no earlier context standing, however it was set
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT pg_temp.attempt('garbage');
SELECT tenancy.current_tenant();
ROLLBACK;
BEGIN;
SET LOCAL tenancy.token = :'token_acme_alice';
SELECT pg_temp.attempt(NULL);
SELECT tenancy.current_tenant_or_null() IS NULL AS dead;
ROLLBACK;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SAVEPOINT s;
SELECT tenancy.set_tenant_from_jwt('');
ROLLBACK TO s;
SELECT tenancy.current_tenant_or_null() IS NULL AS dead;
SELECT count(*) FROM agent.sessions;
ROLLBACK;

-- every forgery gets the same answer
\set expired `:issuer_tool forged expired`
\set alg_none `:issuer_tool forged none`
\set hs256 `:issuer_tool forged hs256`
\set tampered `:issuer_tool forged tampered`
\set other_key `:issuer_tool forged other-key`
\set audience `:issuer_tool forged audience`
\set issuer `:issuer_tool forged issuer`
\set unregistered `:issuer_tool forged unregistered`
\set no_tenant `:issuer_tool forged no-tenant`
SELECT kind, pg_temp.attempt(token) FROM (VALUES ('expired', :'expired'), ('alg none', :'alg_none'),
    ('hs256 with the public key', :'hs256'), ('tampered', :'tampered'), ('other key', :'other_key'),
    ('audience', :'audience'), ('issuer', :'issuer'), ('unregistered', :'unregistered'),
    ('no tenant claim', :'no_tenant'), ('bearer', 'Bearer ' || :'token_acme_alice'),
    ('newline', :'token_acme_alice' || E'\n'), ('too long', repeat('a', 20000)),
    ('huge', repeat('a', 10000000))) v (kind, token);

-- a statement text with a token is not left in pg_stat_activity
SELECT a.query FROM (SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice') AS t OFFSET 0) s,
    LATERAL (SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid() AND s.t IS NOT NULL) a;

-- plans made for one tenant never serve another
PREPARE mine AS SELECT tenancy.current_tenant() AS tenant, count(*) FROM agent.sessions;
SET plan_cache_mode = force_generic_plan;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
INSERT INTO agent.sessions (session_id) VALUES ('context-test');
EXECUTE mine;
COMMIT;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_globex_carol');
EXECUTE mine;
COMMIT;
EXECUTE mine;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
DELETE FROM agent.sessions;
COMMIT;
