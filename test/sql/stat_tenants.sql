-- What administrators see of each tenant, and an application of its own.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
SET client_min_messages = warning;
TRUNCATE agent.sessions, agent.turns, agent.usage, agent.traces, agent.feedback CASCADE;
DELETE FROM tenancy.budgets;
DELETE FROM tenancy.prices;
RESET client_min_messages;
SELECT tenancy.set_price('m', 1000000, 1000000) \g /dev/null

\c - regress_app
SELECT body ->> 'ticket' AS ticket FROM agent.begin_turn(:'token_acme_alice', '{"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "x"}]}') \gset
SELECT status FROM agent.end_turn(:'ticket', '{"status": "ok", "message": {"role": "assistant", "content": "y"}, "usage": {"prompt_tokens": 3, "completion_tokens": 4}}');
SELECT status FROM agent.begin_turn(:'token_acme_alice', '{"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "x"}]}');
SELECT status FROM agent.call('get_session', :'token_acme_alice', '{"session_id": "nowhere"}', NULL);
\c - :admin
INSERT INTO agent.feedback (tenant_id, rating, user_id) SELECT CASE WHEN i % 4 = 0 THEN 'globex' ELSE 'acme' END, 1, 'u' FROM generate_series(1, 400) i;
ANALYZE agent.feedback;
SELECT tenant_id, status, row_estimate BETWEEN 250 AND 350 AS about_300, row_estimate BETWEEN 80 AND 120 AS about_100, byte_estimate > 0 AS bytes,
    turns, tokens, spent_usd::numeric(10, 2), model_time > '0' AS time, refusals, open_turns, now() - last_seen < '1 hour' AS seen
    FROM tenancy.stat_tenants WHERE tenant_id IN ('acme', 'globex') ORDER BY 1;
-- a day later they are not of the last 24 hours
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE agent.usage SET admitted_at = admitted_at - interval '25 hours';
UPDATE agent.audit_log SET audit_id = audit_id - 25 * 3600 * 1000000::bigint;
SELECT turns, tokens, refusals, open_turns FROM tenancy.stat_tenants WHERE tenant_id = 'acme';
ROLLBACK;

\c - regress_app
SELECT * FROM tenancy.activity();
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT pid = pg_backend_pid() AS me, state, query ~ 'tenancy.activity' AS query FROM tenancy.activity();
SAVEPOINT s;
SELECT * FROM tenancy.stat_activity;
ROLLBACK TO s;
SELECT * FROM tenancy.stat_tenants;
ROLLBACK TO s;
SELECT tenancy.backend_tenants();
ROLLBACK TO s;
SELECT tenancy.tenant_sizes();
ROLLBACK;
\c - :admin
SELECT rule, object FROM tenancy.check_isolation() WHERE object ~ 'activity|stat_tenants' AND object !~ 'PUBLIC';
TRUNCATE agent.turns, agent.usage CASCADE;
DELETE FROM tenancy.prices;
