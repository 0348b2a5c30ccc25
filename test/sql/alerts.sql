-- Alerts: exactly one for each crossing of a threshold of a budget, scope value and window.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
SET client_min_messages = warning;
TRUNCATE agent.sessions, agent.turns, agent.usage, agent.traces CASCADE;
DELETE FROM tenancy.budgets;
DELETE FROM tenancy.prices;
TRUNCATE tenancy.alerts;

-- helpers: a charge by plain SQL, as a repair or an import makes it, and the alerts in their order
CREATE TABLE public.alert_test (ticket text);
CREATE FUNCTION public.charge(money bigint, tokens bigint DEFAULT 0, tenant text DEFAULT 'acme', session text DEFAULT 's', at timestamptz DEFAULT '2024-05-05 12:00+00') RETURNS void LANGUAGE sql AS $$
    INSERT INTO agent.usage (tenant_id, turn_id, session_id, admitted_at, admitted_model, output_tokens, cost_picodollars)
    VALUES (tenant, agent.new_id('turn_'), session, at, 'm', tokens, money) $$;
CREATE VIEW public.alerts AS SELECT tenant_id, scope, scope_value, kind, measure, threshold, spent_picodollars AS spent, spent_tokens AS tokens
    FROM tenancy.alerts ORDER BY raised_at, kind DESC, measure;

-- warn at 80 of 100, limit at 100: each once, in the window of the charge
SELECT tenancy.set_budget('acme', 'day', 0.0000000001) > 0 AS hundred_picodollars;
SELECT public.charge(79);
SELECT * FROM public.alerts;
SELECT public.charge(1);
SELECT public.charge(19);
SELECT public.charge(1);
SELECT public.charge(1000);
SELECT * FROM public.alerts;
SELECT period, window_start AT TIME ZONE 'UTC' AS window_start, mode, limit_picodollars, limit_tokens FROM tenancy.alerts;

-- one charge can cross both, and another window is another crossing
SELECT public.charge(500, at => '2024-05-06 00:00+00');
-- another tenant has no budget
SELECT public.charge(500, tenant => 'globex');
SELECT window_start AT TIME ZONE 'UTC' AS window_start, kind, count(*) FROM tenancy.alerts GROUP BY 1, 2 ORDER BY 1, 2;

-- rolled back: no alert; then one when it is really crossed
TRUNCATE tenancy.alerts;
BEGIN;
SELECT public.charge(90, at => '2024-05-07 00:00+00');
ROLLBACK;
BEGIN;
SELECT public.charge(70, at => '2024-05-07 00:00+00');
SAVEPOINT a;
SELECT public.charge(90, at => '2024-05-07 00:00+00');
ROLLBACK TO a;
COMMIT;
SELECT * FROM public.alerts;
BEGIN;
SELECT public.charge(5, at => '2024-05-07 00:00+00');
SAVEPOINT a;
SELECT public.charge(5, at => '2024-05-07 00:00+00');
RELEASE a;
SELECT count(*) AS not_before_commit FROM tenancy.alerts;
COMMIT;
SELECT * FROM public.alerts;

-- a raised limit is another limit: crossing it is another crossing; the same one again is none
SELECT tenancy.set_budget('acme', 'day', 0.0000000002) > 0 AS two_hundred;
SELECT public.charge(79, at => '2024-05-07 00:00+00');
SELECT public.charge(1, at => '2024-05-07 00:00+00');
SELECT tenancy.set_budget('acme', 'day', 0.0000000001) > 0 AS hundred;
SELECT public.charge(1, at => '2024-05-07 00:00+00');
DELETE FROM agent.usage WHERE admitted_at = '2024-05-07 00:00+00';
SELECT public.charge(80, at => '2024-05-07 00:00+00');
SELECT * FROM public.alerts;

-- without counters in memory, as after a crash, the rows tell
TRUNCATE tenancy.alerts;
SELECT public.charge(79, at => '2024-05-08 00:00+00');
SELECT tenancy.slots_drop();
SELECT public.charge(1, at => '2024-05-08 00:00+00');
SELECT tenancy.slots_drop();
SELECT public.charge(1, at => '2024-05-08 00:00+00');
SELECT * FROM public.alerts;

-- with counters in memory, charge after charge and several at once
CREATE FUNCTION public.fill(at timestamptz) RETURNS void LANGUAGE sql AS $$ SELECT tenancy.rebuild_counters(ROW('acme', 's', '', 'm', at)) $$;
TRUNCATE tenancy.alerts;
SELECT public.fill('2024-05-09');
SELECT count(*) FROM (SELECT public.charge(1, at => '2024-05-09') FROM generate_series(1, 79) OFFSET 0) c;
SELECT * FROM public.alerts;
SELECT count(*) FROM (SELECT public.charge(1, at => '2024-05-09') FROM generate_series(1, 20) OFFSET 0) c;
BEGIN;
SELECT public.charge(50, at => '2024-05-09');
ROLLBACK;
SELECT * FROM public.alerts;
SELECT public.charge(1, at => '2024-05-09');
SELECT public.charge(1, at => '2024-05-09');
SELECT * FROM public.alerts;

-- several budgets, scopes and measures in one transaction of many rows; observed ones alert as well
TRUNCATE tenancy.alerts;
DELETE FROM tenancy.budgets;
SELECT tenancy.set_budget(NULL, 'total', 0.0000000001, 50, mode => 'observe') > 0 AS set;
SELECT tenancy.set_budget('acme', 'month', NULL, 10, scope => 'session', warn_ratio => NULL) > 0 AS set;
BEGIN;
SELECT count(*) FROM (SELECT public.charge(1, 1, session => 's' || n % 3, at => '2024-06-01') FROM generate_series(1, 30) n OFFSET 0) c;
SELECT count(*) FROM (SELECT public.charge(1, 1, session => 's' || n % 3, at => '2024-06-01', tenant => 'globex') FROM generate_series(1, 99) n OFFSET 0) c;
COMMIT;
SELECT tenant_id, scope, scope_value, kind, measure, threshold, mode, count(*) FROM tenancy.alerts
    GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5;

-- amounts near the end of the number range, and a limit of nothing
TRUNCATE tenancy.alerts;
DELETE FROM tenancy.budgets;
DELETE FROM agent.usage;
SELECT tenancy.set_budget('acme', 'day', 9000000, 9223372036854775807) > 0 AS most;
SELECT public.charge(9000000000000000000, 4611686018427387904, at => '2024-07-01');
SELECT public.charge(9000000000000000000, 4611686018427387904, at => '2024-07-01');
SELECT public.charge(9000000000000000000, 4611686018427387904, at => '2024-07-01');
SELECT tenancy.set_budget('acme', 'day', 0) > 0 AS least;
SELECT public.charge(0, 1, at => '2024-07-02');
SELECT public.charge(1, 1, at => '2024-07-02');
SELECT public.charge(1, 1, at => '2024-07-02');
SELECT * FROM public.alerts;

-- a turn that settles, and one that is refused for what is left
TRUNCATE tenancy.alerts;
DELETE FROM tenancy.budgets;
DELETE FROM agent.usage;
SELECT tenancy.set_price('m', 0, 1);
SELECT tenancy.set_budget('acme', 'month', 0.001) > 0 AS thousand_tokens;
SELECT tenancy.set_budget('acme', 'month', NULL, 100000, scope => 'subject', mode => 'observe') > 0 AS set;
GRANT INSERT, SELECT ON public.alert_test TO regress_app;
\c - regress_app
\set body '{"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 900}'
\set done '{"status": "ok", "message": {"role": "assistant", "content": "y"}, "usage": {"prompt_tokens": 10, "completion_tokens": 850}}'
INSERT INTO public.alert_test SELECT body ->> 'ticket' FROM agent.begin_turn(:'token_acme_alice', :'body');
-- what is only held alerts nobody, and what fits once it is settled neither
SELECT status, body #>> '{error,code}' AS code FROM agent.begin_turn(:'token_acme_bob', :'body');
SELECT status FROM public.alert_test, agent.end_turn(ticket, :'done');
SELECT status, body ->> 'repeated' AS repeated FROM public.alert_test, agent.end_turn(ticket, :'done');
SELECT status, body #>> '{error,code}' AS code FROM agent.begin_turn(:'token_acme_bob', :'body');
SELECT status, body #>> '{error,code}' AS code FROM agent.begin_turn(:'token_acme_alice', :'body');

-- the tenant reads its own and writes none; of the delivery it sees nothing
SELECT kind FROM tenancy.alerts;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT tenant_id, scope, kind, measure, threshold, spent_picodollars FROM tenancy.alerts ORDER BY raised_at;
SELECT delivered_at FROM tenancy.alerts;
ROLLBACK;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_globex_carol');
SELECT count(*) AS of_another FROM tenancy.alerts;
ROLLBACK;
INSERT INTO tenancy.alerts SELECT;
UPDATE tenancy.alerts SET kind = 'warn';
DELETE FROM tenancy.alerts;
TRUNCATE tenancy.alerts;
SELECT tenancy.raise_alerts('globex', 1, '', '-infinity', true, 0, 0, 1, 1);
SELECT tenancy.add_alert(NULL, 'globex', '', '-infinity', 'warn', 'money', 1, 1, 1);
SELECT tenancy.alert_refusal(NULL, '{}', 1);
SELECT tenancy.claim_alert(1);
SELECT tenancy.alert_delivered('acme', gen_random_uuid());

\c - :admin
SET client_min_messages = warning;
SELECT relrowsecurity AND relforcerowsecurity AS walled FROM pg_class WHERE oid = 'tenancy.alerts'::regclass;
SELECT count(*) FILTER (WHERE NOT ok) AS wrong FROM tenancy.verify_counters();

-- delivery: each to one server at a time, again when that one is silent, until it is delivered or three days old
SELECT jsonb_pretty(payload - '{alert_id,budget_id,window_start,raised_at}'::text[]) AS payload FROM tenancy.claim_alert(60);
SELECT payload ->> 'kind' AS kind, tenancy.alert_delivered(tenant_id, alert_id) FROM tenancy.claim_alert(60);
SELECT count(*) AS due FROM tenancy.claim_alert(60);
SELECT kind, attempts, next_attempt_at BETWEEN now() + interval '50 s' AND now() + interval '70 s' AS leased, delivered_at IS NOT NULL AS delivered FROM tenancy.alerts ORDER BY raised_at;
UPDATE tenancy.alerts SET next_attempt_at = now();
SELECT payload ->> 'kind' AS kind, payload ->> 'attempt' AS attempt FROM tenancy.claim_alert(60);
SELECT max(next_attempt_at) BETWEEN now() + interval '110 s' AND now() + interval '130 s' AS twice_as_long FROM tenancy.alerts;
UPDATE tenancy.alerts SET next_attempt_at = now(), attempts = 1000;
SELECT payload ->> 'attempt' AS attempt FROM tenancy.claim_alert(60);
SELECT max(next_attempt_at) BETWEEN now() + interval '59 min' AND now() + interval '61 min' AS an_hour_at_most FROM tenancy.alerts;
UPDATE tenancy.alerts SET next_attempt_at = now(), raised_at = now() - interval '73 hours';
SELECT count(*) AS due FROM tenancy.claim_alert(60);
SELECT turns, picodollars, tokens FROM agent.open_holds();

-- one tenant's many alerts do not stand before another's only one
TRUNCATE tenancy.alerts;
INSERT INTO tenancy.alerts (tenant_id, budget_id, scope, scope_value, period, window_start, mode, kind, measure, threshold, spent_picodollars, spent_tokens, raised_at)
SELECT 'acme', 1, 'session', n::text, 'day', now(), 'enforce', 'refused', 'tokens', 1, 0, 0, now() - interval '1 hour' FROM generate_series(1, 500) n
UNION ALL SELECT 'globex', 2, 'tenant', '', 'day', now(), 'enforce', 'warn', 'tokens', 1, 0, 0, now();
SELECT bool_or(c.claimed = 'globex') AS both, count(*) FROM (SELECT (tenancy.claim_alert(60)).tenant_id AS claimed FROM generate_series(1, 100)) c;
TRUNCATE tenancy.alerts;

DROP VIEW public.alerts;
DROP FUNCTION public.charge, public.fill;
DROP TABLE public.alert_test;
DELETE FROM tenancy.budgets;
DELETE FROM tenancy.prices;
TRUNCATE tenancy.alerts, agent.sessions, agent.turns, agent.usage, agent.traces CASCADE;
