-- Issuers whose tokens count once: one transaction that commits.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
\set iss 'https://dev.issuer.example'
\set token_acme_dave `:issuer_tool token acme dave`
\set token_acme_erin `:issuer_tool token acme erin`
\set token_acme_frank `:issuer_tool token acme frank`
\set no_jti `:issuer_tool claims "$(printf '{"iss":"https://dev.issuer.example","aud":"agents","org_id":"acme","sub":"s","exp":%d}' $(($(date +%s) + 600)))"`
SELECT tenancy.add_issuer(:'iss', '{agents}', 'org_id', one_time_jti => true);
\c - regress_app

-- used, again in the same transaction, and never after its commit, in whatever session
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice'), tenancy.current_tenant();
SELECT count(tenancy.set_tenant_from_jwt(:'token_acme_alice')) FROM generate_series(1, 3);
COMMIT;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
\c - regress_app
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');

-- what is rolled back has bought nothing
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_bob');
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT count(tenancy.set_tenant_from_jwt(:'token_acme_bob')) FROM generate_series(1, 2);
ROLLBACK TO s;
SELECT tenancy.current_tenant_or_null();
SELECT tenancy.set_tenant_from_jwt(:'token_acme_bob');
SAVEPOINT s;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_bob');
ROLLBACK TO s;
SELECT tenancy.current_tenant();
COMMIT;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_bob');

-- a token that is only set is not used, so it is no tenant; nor where the use could not be written down
BEGIN;
SET LOCAL tenancy.token = :'token_acme_dave';
SELECT tenancy.current_tenant();
ROLLBACK;
BEGIN READ ONLY;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_dave');
ROLLBACK;
SELECT tenancy.set_tenant_from_jwt(:'no_jti');

-- a refusal that is rolled back leaves no tenant
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_dave');
SAVEPOINT s;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
ROLLBACK TO s;
SELECT tenancy.current_tenant_or_null();
COMMIT;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_dave');

-- a request of the agent server is a transaction
SELECT status FROM agent.list_traces(:'token_acme_erin', '{}');
SELECT status FROM agent.list_traces(:'token_acme_erin', '{}');

-- the record is not the application's
SELECT count(*) FROM tenancy.used_tokens;
DELETE FROM tenancy.used_tokens;
INSERT INTO tenancy.used_tokens VALUES (:'iss', 'x', now());

-- it goes when the token is dead by itself
\c - :admin
SELECT count(*), min(expires_at) BETWEEN now() + interval '50 min' AND now() + interval '61 min' AS until_exp FROM tenancy.used_tokens;
SELECT tenancy.purge_revocations();
UPDATE tenancy.used_tokens SET expires_at = now() - interval '6 min';
SELECT tenancy.purge_revocations();

-- the same jti of another issuer is another token
INSERT INTO tenancy.issuers SELECT 'https://other.example', audiences, tenant_claim, algorithms, typ, authorized_parties,
    leeway_seconds, NULL, NULL, false, true, true, now(), NULL, true FROM tenancy.issuers WHERE issuer = :'iss';
INSERT INTO tenancy.used_tokens SELECT 'https://other.example', (regexp_match(convert_from(decode(rpad(translate(split_part(:'token_acme_frank', '.', 2), '-_', '+/'),
    (length(split_part(:'token_acme_frank', '.', 2)) + 3) / 4 * 4, '='), 'base64'), 'UTF8'), '"jti":"([^"]*)"'))[1], now();
SELECT tenancy.set_tenant_from_jwt(:'token_acme_frank');
DELETE FROM tenancy.issuers WHERE issuer = 'https://other.example';
SELECT count(*) FROM tenancy.used_tokens;

-- without the policy tokens count until they expire
SELECT tenancy.add_issuer(:'iss', '{agents}', 'org_id');
SELECT tenancy.set_tenant_from_jwt(:'token_acme_frank');
DELETE FROM tenancy.used_tokens;

-- a check leaves no context and no use; what it finds is what the use would find
SELECT tenancy.add_issuer(:'iss', '{agents}', 'org_id', one_time_jti => true);
\c - regress_app
SELECT * FROM tenancy.check_token(:'token_acme_frank');
BEGIN;
SELECT * FROM tenancy.check_token(:'token_acme_frank');
SELECT tenancy.current_tenant_or_null();
SELECT tenancy.set_tenant_from_jwt(:'token_acme_frank');
SELECT * FROM tenancy.check_token(:'token_acme_frank');
SELECT tenancy.current_tenant();
COMMIT;
SELECT * FROM tenancy.check_token(:'token_acme_frank');
SELECT * FROM tenancy.check_token(NULL);

-- nor does the question what a shared limiter is to count
\set token_acme_grace `:issuer_tool token acme grace`
SELECT agent.shared_rate('list_traces', :'token_acme_grace', '{}');
SELECT status FROM agent.list_traces(:'token_acme_grace', '{}');
SELECT agent.shared_rate('list_traces', :'token_acme_grace', '{}');
\c - :admin
SELECT tenancy.add_issuer(:'iss', '{agents}', 'org_id');
DELETE FROM tenancy.used_tokens;
