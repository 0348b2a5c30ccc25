-- Request rates: GCRA in shared memory, per tenant, exact over sessions, changed at the next statement.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup

-- limits are validated
SELECT tenancy.set_rate_limit('nobody', 10);
SELECT tenancy.set_rate_limit('acme', 0);
SELECT tenancy.set_rate_limit('acme', -1);
SELECT tenancy.set_rate_limit('acme', 9223372036854775807);
SELECT tenancy.set_rate_limit('acme', burst => 3);
SELECT tenancy.set_rate_limit('acme', max_concurrent => 0);

-- without a limit everything passes; without a tenant nothing does
\c - regress_app
SELECT * FROM tenancy.take_request();
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT * FROM tenancy.take_request();
SELECT * FROM tenancy.take_request(-1);
ROLLBACK;

-- one request a minute, three at once: three pass, the fourth waits
\c - :admin
SELECT tenancy.set_rate_limit('acme', 1, burst => 3);
\c - regress_app
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT allowed, "limit", remaining, retry_after_ms FROM generate_series(1, 3) n, LATERAL (SELECT * FROM tenancy.take_request(1 + 0 * n)) t;
SELECT allowed, remaining, retry_after_ms BETWEEN 59000 AND 60000 AS one_minute, reset_after_ms BETWEEN 179000 AND 180000 AS three_minutes FROM tenancy.take_request();
-- more than the burst can never pass
SELECT allowed, retry_after_ms FROM tenancy.take_request(4);
ROLLBACK;
-- what was taken stays taken after a rollback, and is seen by every session
\c - regress_app
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_bob');
SELECT allowed FROM tenancy.take_request();
ROLLBACK;
-- another tenant is not touched
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_globex_carol');
SELECT allowed, "limit" FROM tenancy.take_request();
COMMIT;
-- a higher limit counts at the next statement, in an open transaction too
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_bob');
SELECT allowed FROM tenancy.take_request();
\set raise `psql -XAtq -U "$PGUSER" -d "$(echo :DBNAME)" -c "SELECT tenancy.set_rate_limit('acme', 600, burst => 1000)" 2>&1`
\echo :raise
SELECT "limit", retry_after_ms <= 100 AS soon FROM tenancy.take_request();
COMMIT;

-- the default of all tenants holds for those without a row of their own
\c - :admin
SELECT tenancy.set_rate_limit(NULL, 1);
\c - regress_app
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_globex_carol');
SELECT allowed, "limit" FROM generate_series(1, 2) n, LATERAL (SELECT * FROM tenancy.take_request(1 + 0 * n)) t;
COMMIT;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_bob');
SELECT "limit" FROM tenancy.take_request();
COMMIT;

-- a limit for each subject, within the tenant's: one cannot use up what others need
\c - :admin
SELECT tenancy.set_rate_limit('acme', subject_requests_per_minute => 0);
SELECT tenancy.set_rate_limit('acme', 60000, burst => 1000000, subject_requests_per_minute => 2);
\c - regress_app
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT allowed, "limit", remaining, retry_after_ms > 20000 AS waits FROM generate_series(1, 3) n, LATERAL (SELECT * FROM tenancy.take_request(1 + 0 * n)) t;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_bob');
SELECT allowed, "limit", remaining FROM tenancy.take_request(0);
SELECT tenancy.take_request(3);
COMMIT;
SELECT status, headers ->> 'x-ratelimit-limit-requests' AS "limit", body #>> '{error,message}' AS message, body #>> '{detail,per}' AS per
    FROM agent.call('list_traces', :'token_acme_alice', '{}', '{}');
SELECT status, body #>> '{detail,per}' AS per FROM agent.call('begin_turn', :'token_acme_alice', '{"messages": [{"role": "user", "content": "hi"}]}', '{}');
-- what the tenant's own limit refuses is not taken from the subject's
\c - :admin
SELECT tenancy.set_rate_limit('acme', 1, burst => 1, subject_requests_per_minute => 5);
\c - regress_app
SELECT status, body #>> '{detail,per}' AS per FROM generate_series(1, 4) n, LATERAL agent.call('list_traces', :'token_acme_bob', jsonb_build_object('limit', n), '{}');
\c - :admin
SELECT tenancy.set_rate_limit('acme', subject_requests_per_minute => 5);
\c - regress_app
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_bob');
SELECT allowed, "limit", remaining FROM tenancy.take_request(0);
COMMIT;
-- nor what the tokens' rate refuses
\c - :admin
SELECT tenancy.set_rate_limit('acme', tokens_per_minute => 1, subject_requests_per_minute => 5);
\c - regress_app
SELECT status, body #>> '{error,type}' AS type FROM generate_series(1, 3) n, LATERAL agent.call('begin_turn', :'token_acme_bob',
    jsonb_build_object('messages', '[{"role": "user", "content": "hi"}]'::jsonb, 'seed', n), '{}');
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_bob');
SELECT remaining FROM tenancy.take_request(0);
COMMIT;
-- nor what a budget refuses, in a request of its own each: neither requests nor tokens of the tenant, nor requests of the subject
\c - :admin
SELECT tenancy.set_price('m', 1, 1), tenancy.set_budget('acme', 'day', 0) > 0 AS set, tenancy.set_rate_limit('acme', 1, burst => 9, tokens_per_minute => 1000);
SELECT tenancy.forget_rates('acme');
\c - regress_app
\set ask 'SELECT status FROM agent.call(\'begin_turn\', :\'token_acme_bob\', \'{"model": "m", "max_tokens": 900, "messages": [{"role": "user", "content": "hi"}]}\', \'{}\')'
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_bob');
SELECT remaining AS before FROM tenancy.take_request() \gset
COMMIT;
:ask;
:ask;
:ask;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_bob');
SELECT remaining = :before AS kept FROM tenancy.take_request(0);
COMMIT;
\c - :admin
SELECT tenancy.set_rate_limit('acme', subject_requests_per_minute => 8);
\c - regress_app
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_bob');
SELECT remaining AS before FROM tenancy.take_request() \gset
COMMIT;
:ask;
:ask;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_bob');
SELECT remaining = :before AS kept FROM tenancy.take_request(0);
COMMIT;

-- the application role can change no limit and give nothing back
SELECT tenancy.set_rate_limit('acme', 1000);
SELECT tenancy.give_back_rate('acme', 1, 1000, now());
SELECT * FROM tenancy.rate_limits;
UPDATE tenancy.rate_limits SET burst = 1000;
SET tenancy.max_flows = 1000000;
\c - :admin
DELETE FROM tenancy.rate_limits;
DELETE FROM tenancy.budgets;
DELETE FROM tenancy.prices;
