-- Budgets: hold, then settle. Invariants I1 to I8 are named where they are shown.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
ALTER ROLE regress_app SET tenancy.guard = 'truncate, two_phase'; -- tested with the guards off
SET client_min_messages = warning;
TRUNCATE agent.sessions, agent.turns, agent.usage, agent.traces CASCADE;
DELETE FROM tenancy.budgets;
DELETE FROM tenancy.prices;

-- prices and limits are exact amounts of money, or refused
SELECT tenancy.set_price('m', 'NaN', 1);
SELECT tenancy.set_price('m', -1, 1);
SELECT tenancy.set_price('m', 'infinity', 1);
SELECT tenancy.set_price('m', 0.0000001, 1);
SELECT tenancy.set_price('m', NULL, 1);
SELECT tenancy.set_price('', 1, 1);
SELECT tenancy.set_budget('acme', 'fortnight', 1);
SELECT tenancy.set_budget('acme', 'day', 'NaN');
SELECT tenancy.set_budget('acme', 'day', -1);
SELECT tenancy.set_budget('acme', 'day', 1e30);
SELECT tenancy.set_budget('nobody', 'day', 1);
SELECT tenancy.set_budget('acme', 'day', 1, time_zone => 'Mars/Olympus');
SELECT tenancy.set_budget('acme', 'day', 1, warn_ratio => 2);

-- every time lies in its window, and windows meet: also where midnight comes twice or the clock moves 30 minutes
SELECT count(*) AS outside FROM unnest('{Atlantic/Azores,America/Havana,Australia/Lord_Howe,Europe/Berlin}'::text[]) z (zone), unnest('{2024-10-26,2024-11-02,2024-04-06,2024-03-30}'::timestamptz[]) d (day),
    generate_series(0, 200) q, LATERAL (SELECT d.day + q * interval '15 min') g (at), unnest('{hour,day,month}'::text[]) p (period)
WHERE g.at < tenancy.window_start(p.period, g.at, z.zone) OR g.at >= tenancy.window_end(p.period, g.at, z.zone)
   OR tenancy.window_start(p.period, tenancy.window_end(p.period, g.at, z.zone), z.zone) <> tenancy.window_end(p.period, g.at, z.zone);
SELECT tenancy.window_end('day', '2024-03-31 12:00+00', 'Europe/Berlin') - tenancy.window_start('day', '2024-03-31 12:00+00', 'Europe/Berlin') AS short_day,
    tenancy.window_start('month', '2024-12-31 23:30+00', 'Europe/Berlin') AT TIME ZONE 'UTC' AS already_january;

-- helpers: a turn of the given price is 100 tokens of input bound and the rest output
CREATE TABLE public.budget_test (n int, ticket text);
GRANT ALL ON public.budget_test TO regress_app;
CREATE FUNCTION public.begin_one(token text, max_tokens int, extra jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    r agent.response;
BEGIN
    r := agent.begin_turn(token, '{"model": "m", "messages": [{"role": "user", "content": "x"}]}' || jsonb_build_object('max_tokens', max_tokens) || extra);
    INSERT INTO public.budget_test VALUES ((SELECT count(*) FROM public.budget_test), r.body ->> 'ticket');
    RETURN r.status || ' ' || coalesce(r.body #>> '{error,code}', 'ok') || coalesce(' ' || (r.body ->> 'max_tokens'), '');
END $$;
CREATE FUNCTION public.end_one(wanted int, tokens_in int, tokens_out int) RETURNS text LANGUAGE sql AS $$
    SELECT r.status || ' ' || coalesce(r.body ->> 'repeated', '-') FROM public.budget_test b, LATERAL agent.end_turn(b.ticket,
        jsonb_build_object('status', 'ok', 'model', 'm', 'message', '{"role": "assistant", "content": "y"}'::jsonb,
            'usage', jsonb_build_object('prompt_tokens', tokens_in, 'completion_tokens', tokens_out))) r WHERE b.n = wanted $$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO regress_app;
GRANT USAGE ON SCHEMA public TO regress_app;

-- while nothing has a price nothing needs one; from the first price on an unpriced model is refused (I7)
\c - regress_app
SELECT public.begin_one(:'token_acme_alice', 10);
SELECT public.end_one(0, 5, 5);
\c - :admin
SELECT tenancy.set_price('other', 1, 1);
\c - regress_app
SELECT public.begin_one(:'token_acme_alice', 10);

-- one USD per million output tokens, input free; a budget of a thousand tokens' worth
\c - :admin
SELECT tenancy.set_price('m', 0, 1);
SELECT tenancy.set_budget('acme', 'day', 0.001) > 0 AS set;
\c - regress_app
SELECT public.begin_one(:'token_acme_alice', 600);
-- the rest is too little for another 600: held, not spent
SELECT public.begin_one(:'token_acme_alice', 600);
-- clamped when the client agrees
SELECT public.begin_one(:'token_acme_alice', 600, '{"clamp_to_budget": true}');
SELECT public.begin_one(:'token_acme_alice', 1);
-- another tenant has no budget and is not touched
SELECT public.begin_one(:'token_globex_carol', 1000000);
-- settling gives back what was not used (I8), a hold ends once (I3)
SELECT n, public.end_one(n, 10, 100) FROM (VALUES (2), (4)) v (n);
SELECT public.end_one(2, 10, 100);
SELECT n, public.end_one(n, 10, 100) FROM (VALUES (2), (4)) v (n);
\c - :admin
SELECT counter_picodollars, ledger_picodollars, ok FROM tenancy.verify_counters();
SELECT cost_picodollars, price_id, overrun, late FROM agent.usage WHERE tenant_id = 'acme' AND cost_picodollars IS NOT NULL ORDER BY occurred_at;

-- down to the last token (I1, I8)
\c - regress_app
SELECT public.begin_one(:'token_acme_alice', 801);
SELECT public.begin_one(:'token_acme_alice', 800);
SELECT public.end_one(8, 10, 800);
SELECT public.begin_one(:'token_acme_alice', 1);
BEGIN;
SELECT status, headers, jsonb_pretty(body - 'error' #- '{detail,resets_at}') FROM agent.begin_turn(:'token_acme_alice', '{"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 1}');
ROLLBACK;
\c - :admin
SELECT counter_picodollars, ledger_picodollars, ok FROM tenancy.verify_counters();

-- counters give back what is rolled back, whole or to a savepoint (I4)
SELECT tenancy.set_budget('acme', 'day', 0.002) > 0 AS raised;
\c - regress_app
BEGIN;
SELECT public.begin_one(:'token_acme_alice', 1000);
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT public.begin_one(:'token_acme_alice', 1000);
ROLLBACK TO s;
SAVEPOINT s;
SELECT public.begin_one(:'token_acme_alice', 700);
RELEASE s;
COMMIT;
\c - :admin
SELECT counter_picodollars, ledger_picodollars, ok FROM tenancy.verify_counters();
-- a hold cannot be prepared, and needs to see what was committed
\c - regress_app
BEGIN;
SELECT public.begin_one(:'token_acme_alice', 10);
PREPARE TRANSACTION 'held';
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT public.begin_one(:'token_acme_alice', 10);
ROLLBACK;

-- more than was held is charged all the same, and flagged
SELECT public.end_one(10, 10, 1500);
\c - :admin
SELECT cost_picodollars, overrun FROM agent.usage WHERE tenant_id = 'acme' ORDER BY occurred_at DESC LIMIT 1;
SELECT counter_picodollars, ledger_picodollars, ok FROM tenancy.verify_counters();

-- several limits at once: the tightest refuses, the others are not touched; scopes are separate
DELETE FROM tenancy.budgets;
SELECT count(tenancy.set_budget(b.tenant, b.period, NULL, b.tokens, scope => b.scope)) FROM (VALUES
    ('acme', 'month', 100000, 'tenant'), ('acme', 'hour', 5000, 'session'), (NULL, 'total', 20000, 'subject'), ('acme', 'total', 40000, 'model')) b (tenant, period, tokens, scope);
\c - regress_app
SELECT public.begin_one(:'token_acme_alice', 4000, '{"session_id": "one"}');
SELECT public.begin_one(:'token_acme_alice', 4000, '{"session_id": "one"}');
SELECT public.begin_one(:'token_acme_alice', 4000, '{"session_id": "two"}');
SELECT public.begin_one(:'token_acme_alice', 30000);
SELECT public.begin_one(:'token_acme_bob', 19000);
SELECT public.begin_one(:'token_acme_bob', 19000);
\c - :admin
SELECT b.scope, v.scope_value, v.ok FROM tenancy.verify_counters() v JOIN tenancy.budgets b USING (budget_id) ORDER BY 1, 2;

-- a turn whose counters find no room in memory is decided from the rows: the same answer, the same refusal
CREATE FUNCTION public.hold_undone(by_rows boolean, turn tenancy.turn_scope, tokens bigint, OUT refusal jsonb) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tenancy.lock_ledger(turn.tenant_id, true);
    refusal := CASE WHEN by_rows THEN tenancy.hold_by_rows(turn, 1, tokens) ELSE tenancy.hold(turn, 1, tokens) END;
    RAISE EXCEPTION USING ERRCODE = 'TEST1';
EXCEPTION WHEN SQLSTATE 'TEST1' THEN
    NULL;
END $$;
CREATE FUNCTION public.both_ways(what text, tokens bigint, tenant text, session text, subject text) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s: %s, %s', what, concat_ws(' of ', r.fast ->> 'code', r.fast ->> 'scope'), CASE WHEN r.fast IS NOT DISTINCT FROM r.slow THEN 'the same' ELSE r.slow::text END)
    FROM (SELECT public.hold_undone(false, s.turn, tokens), public.hold_undone(true, s.turn, tokens)
          FROM (SELECT ROW(tenant, session, subject, 'm', now())::tenancy.turn_scope) s (turn)) r (fast, slow) $$;
SELECT public.both_ways('session', 2000, 'acme', 'one', 'alice');
SELECT public.both_ways('another session', 1000, 'acme', 'two', 'alice');
SELECT public.both_ways('subject', 19000, 'acme', NULL, 'alice');
SELECT public.both_ways('nothing', 0, 'acme', NULL, 'bob');
SELECT public.both_ways('tenant', 1000000, 'acme', NULL, 'carol');
SELECT public.both_ways('another tenant', 10, 'globex', NULL, 'carol');
SELECT tenancy.set_rate_limit('acme', max_concurrent => 1);
SELECT public.both_ways('too many turns', 1, 'acme', NULL, 'bob');
SELECT tenancy.set_rate_limit('acme');
DROP FUNCTION public.both_ways, public.hold_undone;
-- counters that are in memory follow such a hold (I4)
SELECT count(*) > 3 AS in_memory FROM tenancy.slots() WHERE tenant_id = 'acme' AND scope_value IN ('', 'one', 'alice', 'm');
BEGIN;
SELECT tenancy.lock_ledger('acme', true);
SELECT tenancy.hold_by_rows(ROW('acme', 'one', 'alice', 'm', now()), 5, 100);
INSERT INTO agent.turns (tenant_id, turn_id, ticket_hash, session_id, subject, model, trace_id, input, started_at, hold_picodollars, hold_tokens)
VALUES ('acme', 'by rows', sha256('by rows'), 'one', 'alice', 'm', 'by rows', '[]', now(), 5, 100);
COMMIT;
SELECT bool_and(ok) FROM tenancy.verify_counters();
DELETE FROM agent.turns WHERE turn_id = 'by rows';
SELECT bool_and(ok) FROM tenancy.verify_counters();

-- no hold without an amount: NULL says that a turn is held
SELECT tenancy.hold(ROW('acme', 'one', 'alice', 'm', now()), 5, NULL);
SELECT tenancy.hold(ROW('acme', 'one', 'alice', 'm', now()), NULL, 5);
\c - regress_app
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice') \g /dev/null
SELECT o.refusal ->> 'code' AS refused FROM (VALUES (NULL::jsonb, '[]'::jsonb), ('{"max_tokens": 5000}', NULL)) AS v(body, history),
    agent.open_turn(NULL, 'm', false, '[{"role": "user", "content": "x"}]', v.body || '{"max_tokens": 10000000}', v.history) AS o;
ROLLBACK;
\c - :admin

-- a provider that reports another name for the model does not move the charge to another budget
\c - regress_app
SELECT r.status FROM (SELECT ticket FROM public.budget_test WHERE ticket IS NOT NULL ORDER BY n DESC LIMIT 1) b, LATERAL agent.end_turn(b.ticket,
    '{"status": "ok", "model": "m-2024-01-01", "message": {"role": "assistant", "content": "y"}, "usage": {"prompt_tokens": 5, "completion_tokens": 7}}') r;
\c - :admin
-- rows written by other means count as well; none can be changed, and what is removed is taken off (I4)
INSERT INTO agent.usage (tenant_id, turn_id, admitted_at, admitted_model, subject, input_tokens, cost_picodollars) VALUES ('acme', 'by hand', now(), 'm', 'alice', 11, 13);
SELECT bool_and(ok), sum(counter_tokens) FILTER (WHERE scope_value = 'alice') > 0 AS counted FROM tenancy.verify_counters();
UPDATE agent.usage SET input_tokens = 0 WHERE turn_id = 'by hand';
DELETE FROM agent.usage WHERE turn_id = 'by hand';
SELECT bool_and(ok) FROM tenancy.verify_counters();

-- observe lets everything pass and counts; 0 is a budget of nothing, not none
DELETE FROM tenancy.budgets;
SELECT tenancy.set_budget('acme', 'day', NULL, 1, mode => 'observe') > 0 AS observing;
\c - regress_app
SELECT public.begin_one(:'token_acme_alice', 100);
\c - :admin
SELECT tenancy.set_budget('acme', 'day', NULL, 0) > 0 AS nothing;
\c - regress_app
SELECT public.begin_one(:'token_acme_alice', 100);
\c - :admin
SELECT tenancy.set_budget('acme', 'day') IS NULL AS removed;
-- a temporary budget goes before the permanent one, while it lasts
SELECT tenancy.set_budget('acme', 'day', NULL, 0) > 0 AS nothing;
SELECT tenancy.set_budget('acme', 'day', NULL, 1000000000, valid_from => now() - interval '1 hour', valid_until => now() + interval '1 hour') > 0 AS for_now;
\c - regress_app
SELECT public.begin_one(:'token_acme_alice', 100);
\c - :admin
DELETE FROM tenancy.budgets;

-- turns at a time
SELECT tenancy.set_rate_limit('acme', max_concurrent => 2);
SELECT agent.sweep_turns() AS nothing_is_orphaned;
UPDATE agent.turns SET deadline = now() WHERE status = 'open';
SELECT agent.sweep_turns(1000) > 0 AS swept_past_the_deadline;
\c - regress_app
TRUNCATE public.budget_test;
SELECT public.begin_one(:'token_acme_alice', 100), public.begin_one(:'token_acme_alice', 100), public.begin_one(:'token_acme_bob', 100);
SELECT public.end_one(0, 1, 1);
SELECT public.begin_one(:'token_acme_bob', 100);

-- an orphan is charged for what was metered; when its server reports late, for the rest, once (I3)
\c - :admin
SELECT tenancy.set_rate_limit('acme');
SELECT tenancy.set_budget('acme', 'total', 1) > 0 AS set;
\c - regress_app
TRUNCATE public.budget_test;
BEGIN;
SET LOCAL tenancy.instance_id = 'crashed';
SELECT public.begin_one(:'token_acme_alice', 100);
COMMIT;
SELECT agent.meter_turn(ticket, 40), agent.meter_turn(ticket || 'x', 1) FROM public.budget_test;
-- (the application role cannot sweep: it would hold locks of other tenants)
SELECT agent.sweep_turns();
SELECT tenancy.instance_lock('crashed');
\c - :admin
SELECT agent.sweep_turns();
\c - regress_app
SELECT public.end_one(0, 10, 60);
SELECT public.end_one(0, 10, 60);
\c - :admin
SELECT output_tokens, cost_picodollars, estimated, late FROM agent.usage WHERE tenant_id = 'acme' ORDER BY occurred_at DESC LIMIT 2;
SELECT ok FROM tenancy.verify_counters();
-- a server that holds its lock keeps its turns
SELECT tenancy.instance_lock('alive');
BEGIN;
SET LOCAL tenancy.instance_id = 'alive';
SELECT public.begin_one(:'token_acme_alice', 100);
COMMIT;
SELECT agent.sweep_turns();
-- what a turn took of the rate has run off while it was open: it is given back once, not out of what others took
BEGIN;
SELECT tenancy.set_rate_limit('acme', tokens_per_minute => 60000);
TRUNCATE public.budget_test;
SELECT public.begin_one(:'token_acme_alice', 25000), public.begin_one(:'token_acme_alice', 25000);
UPDATE agent.turns SET started_at = started_at - interval '61 s' WHERE started_at > now() AND rate_tokens > 25000;
COMMIT;
SELECT public.end_one(0, 1, 1);
SELECT public.begin_one(:'token_acme_alice', 25000);
SELECT public.end_one(1, 1, 1);
SELECT tenancy.set_rate_limit('acme');
-- a thousand turns that cannot be ended do not stand before another tenant's
BEGIN;
CREATE FUNCTION public.no_charge() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION $x$no$x$; END';
CREATE TRIGGER no_charge BEFORE INSERT ON agent.usage FOR EACH ROW WHEN (NEW.tenant_id = 'acme') EXECUTE FUNCTION public.no_charge();
INSERT INTO agent.turns (tenant_id, turn_id, trace_id, ticket_hash, input, started_at, deadline)
SELECT CASE WHEN n < 1001 THEN 'acme' ELSE 'globex' END, 'turn_overdue_' || n, 'trace_overdue_' || n, sha256(n::text::bytea), '[]', now() - interval '1 hour' + n * interval '1 s', now() FROM generate_series(1, 1001) n;
SET LOCAL client_min_messages = error;
SELECT agent.sweep_turns();
SELECT status FROM agent.turns WHERE turn_id = 'turn_overdue_1001';
ROLLBACK;
\c - regress_app

-- charges beyond all numbers, in one transaction, leave the budget spent: they do not wrap it around (I1)
\c - :admin
SELECT tenancy.set_price('m', 0, 9000000), tenancy.set_budget('acme', 'total', 9000000) > 0 AS set;
\c - regress_app
TRUNCATE public.budget_test;
BEGIN;
SELECT public.begin_one(:'token_acme_bob', 1) FROM generate_series(1, 3);
SELECT r.status FROM public.budget_test b, LATERAL agent.end_turn(b.ticket,
    '{"status": "ok", "model": "m", "message": {"role": "assistant"}, "usage": {"prompt_tokens": 1, "completion_tokens": 10000000000}}') r;
COMMIT;
SELECT public.begin_one(:'token_acme_bob', 1);
\c - :admin
DELETE FROM tenancy.prices WHERE output = 9000000000000;
\c - regress_app

-- the tenant sees its budgets and usage, and can change neither (I6)
SELECT status, body -> 'tenant_id', jsonb_array_length(body -> 'budgets'), body #> '{budgets,0}' ? 'starts_at' AS starts FROM agent.get_budget(:'token_acme_alice', '{}');
SELECT status, jsonb_path_query_array(body, '$.models[*].model') FROM agent.get_usage(:'token_acme_alice', '{}');
SELECT status, jsonb_path_query_array(body, '$.models[*].model') FROM agent.get_usage(:'token_globex_carol', '{}');
-- in buckets of time it is the same sum, the tenant's own
WITH u AS (SELECT agent.get_usage(:'token_acme_alice', '{"since": "2000-01-01T00:00:00Z", "bucket": "day"}') AS r)
SELECT (SELECT sum((b ->> 'cost_usd')::numeric) FROM jsonb_array_elements((r).body -> 'buckets') b)
        = (SELECT sum((m ->> 'cost_usd')::numeric) FROM jsonb_array_elements((r).body -> 'models') m) AS same_cost,
    (SELECT sum((b ->> 'requests')::int) FROM jsonb_array_elements((r).body -> 'buckets') b)
        = (SELECT sum((m ->> 'requests')::int) FROM jsonb_array_elements((r).body -> 'models') m) AS same_requests FROM u;
SELECT status, body ? 'buckets' AS series, body #>> '{detail,0,msg}' AS problem
FROM (VALUES ('{}'), ('{"bucket": "minute", "until": "2000-01-02T00:00:00Z"}'), ('{"bucket": "week"}'), ('{"bucket": 1}')) q (query)
CROSS JOIN LATERAL agent.get_usage(:'token_acme_alice', q.query::jsonb);
SELECT tenancy.set_budget('acme', 'day', 1000000);
SELECT tenancy.set_price('m', 0, 0);
SELECT tenancy.slot_fill('acme', 1, '', '-infinity', 0, 0, 0, 0);
SELECT tenancy.settle(('acme', NULL, NULL, NULL, now()), 1000, 0, 0, 0, 0);
SELECT tenancy.holds_undo(0);
SELECT tenancy.lock_ledger('globex', true);
SELECT * FROM tenancy.slots();
SELECT * FROM tenancy.verify_counters();
SELECT * FROM tenancy.budgets;
DELETE FROM agent.usage;
UPDATE agent.turns SET hold_picodollars = 0;
INSERT INTO agent.usage (turn_id, admitted_at) VALUES ('x', now());
\c - :admin
DELETE FROM tenancy.budgets;
DELETE FROM tenancy.prices;
DELETE FROM tenancy.rate_limits;
SET client_min_messages = warning;
TRUNCATE agent.sessions, agent.turns, agent.usage, agent.traces CASCADE;
DROP FUNCTION public.begin_one, public.end_one;
DROP TABLE public.budget_test;
