-- Input at the edges of numbers and text is refused with a 4xx that says why, or admitted: never a 500.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
SET client_min_messages = warning;
TRUNCATE agent.sessions, agent.turns, agent.usage, agent.traces, tenancy.alerts CASCADE;
DELETE FROM tenancy.budgets;
DELETE FROM tenancy.prices;

-- the status and code of a turn, and what the end of an admitted one says; an exception is an answer, too
CREATE FUNCTION public.try_turn(token text, body jsonb, result jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    r agent.call_response;
    e agent.response;
BEGIN
    r := agent.call('begin_turn', token, '{"messages": [{"role": "user", "content": "x"}]}' || body, '{"model": "m"}');
    IF r.status <> 200 THEN
        RETURN r.status || ' ' || coalesce(r.body #>> '{error,code}', '') || ': ' || (r.body #>> '{error,message}');
    END IF;
    e := agent.end_turn(r.body ->> 'ticket', '{"status": "ok", "message": {"role": "assistant", "content": "y"}}' || result);
    RETURN r.status || ' ' || coalesce(r.body ->> 'max_tokens', '-') || ', ' || e.status || ' ' || left(coalesce(e.body ->> 'charged_picodollars', e.body #>> '{detail,0,msg}', '-'), 60);
EXCEPTION WHEN OTHERS THEN
    RETURN 'FAILED ' || sqlstate || ' ' || sqlerrm;
END $$;
GRANT USAGE ON SCHEMA public TO regress_app;
GRANT EXECUTE ON FUNCTION public.try_turn(text, jsonb, jsonb) TO regress_app;

-- labels: 256 characters of three bytes each are taken, more are not, what is no text is not
\c - regress_app
SELECT public.try_turn(:'token_acme_alice', jsonb_build_object('model', repeat(U&'\754c', 256)));
SELECT public.try_turn(:'token_acme_alice', jsonb_build_object('model', repeat(U&'\754c', 257)));
SELECT public.try_turn(:'token_acme_alice', '{"model": ""}');
SELECT public.try_turn(:'token_acme_alice', '{"model": 7}');
SELECT public.try_turn(:'token_acme_alice', '{"model": "a\u0001b\uffff"}');
SELECT public.try_turn(:'token_acme_alice', '{}', jsonb_build_object('model', repeat(U&'\754c', 256)));
SELECT public.try_turn(:'token_acme_alice', '{}', jsonb_build_object('model', repeat(U&'\754c', 257)));
SELECT public.try_turn(:'token_acme_alice', '{}', '{"model": "a\u0001b\uffff"}');
-- without the server's word for it the label is the model: also then a budget of models can count it
\c - :admin
SELECT tenancy.set_budget('acme', 'day', NULL, 100000000, scope => 'model') > 0 AS set;
SELECT tenancy.set_budget('acme', 'day', NULL, 100000000, scope => 'session') > 0 AS set;
\c - regress_app
SELECT r.status, octet_length(r.body ->> 'model') AS bytes FROM agent.begin_turn(:'token_acme_alice',
    jsonb_build_object('model', repeat(U&'\754c', 256), 'messages', '[{"role": "user", "content": "x"}]'::jsonb, 'session_id', repeat('s', 128))) r;

-- numbers: huge, fractional, negative, not a number, in text
SELECT left(value::text, 24) AS value, public.try_turn(:'token_acme_alice', jsonb_build_object('max_tokens', value))
    FROM jsonb_array_elements('[10000000, 10000001, 1e7, 1e300, 0, -1, 1.5, "9", "x", 99999999999999999999, true, [1]]');
SELECT left(value::text, 24) AS value, public.try_turn(:'token_acme_alice', jsonb_build_object('n', value, 'max_tokens', 10000000))
    FROM jsonb_array_elements('[1, 128, 129, 1e3, -1, 0.5, 1e999]');
SELECT public.try_turn(:'token_globex_carol', '{"n": 128, "max_tokens": 10000000}');
SELECT left(value::text, 24) AS value, public.try_turn(:'token_globex_carol', '{}', jsonb_build_object('usage', jsonb_build_object('prompt_tokens', value, 'completion_tokens', value)))
    FROM jsonb_array_elements('[10000000000, 10000000001, 1e10, -1, "NaN", 1.5, null]');

-- prices near the end of the range: what a turn could cost is beyond all money, so no budget pays for it
\c - :admin
DELETE FROM tenancy.budgets;
SELECT tenancy.set_price('m', 9000000, 9000000, per_request_usd => 9000000);
UPDATE tenancy.prices SET input = 9223372036854775807, cached_input = 9223372036854775807, output = 9223372036854775807;
\c - regress_app
SELECT public.try_turn(:'token_globex_carol', '{"n": 128, "max_tokens": 10000000}', '{"usage": {"prompt_tokens": 10000000000, "completion_tokens": 10000000000}}');
SELECT public.try_turn(:'token_globex_carol', '{}');
\c - :admin
SELECT tenancy.set_budget('acme', 'day', 9000000, 9223372036854775807) > 0 AS set;
SELECT tenancy.set_budget('globex', 'day', 9000000, mode => 'observe') > 0 AS set;
\c - regress_app
SELECT public.try_turn(:'token_acme_alice', '{"n": 128, "max_tokens": 10000000}', '{"usage": {"prompt_tokens": 10000000000, "completion_tokens": 10000000000}}');
SELECT public.try_turn(:'token_acme_alice', '{"n": 128, "max_tokens": 10000000, "clamp_to_budget": true}', '{"usage": {"prompt_tokens": 10000000000, "completion_tokens": 10000000000}}');
SELECT public.try_turn(:'token_acme_alice', '{}');
-- a counter holds nine million USD and a bit: beyond that even a budget that only observes refuses
SELECT n, public.try_turn(:'token_globex_carol', '{"n": 128, "max_tokens": 10000000}', '{"usage": {"prompt_tokens": 10000000000, "completion_tokens": 10000000000}}') FROM generate_series(1, 4) n;
SELECT status, body #> '{budgets,0,spent_usd}' AS spent FROM agent.get_budget(:'token_globex_carol', '{}');
SELECT status, body #> '{models,0,cost_usd}' AS cost FROM agent.get_usage(:'token_globex_carol', '{}');
\c - :admin
SET client_min_messages = warning;
SELECT tenant_id, kind, measure, threshold FROM tenancy.alerts ORDER BY 1, 2, 3;
SELECT cost_usd > 0 AS reported FROM tenancy.usage_report('-infinity', 'infinity') WHERE cost_usd IS NOT NULL;
SELECT count(*) AS failed FROM tenancy.verify_counters() WHERE ok IS NULL;
-- a counter that would pass the largest number stays at it, in memory as from the rows, charges and tokens alike
TRUNCATE agent.turns, agent.usage CASCADE;
UPDATE tenancy.prices SET input = 1, cached_input = 1, output = 1, per_request = 0;
SELECT tenancy.set_budget('globex', 'total', 9000000, 9000000000000000000, mode => 'observe') > 0 AS set;
\c - regress_app
SELECT public.try_turn(:'token_globex_carol', '{}');
\c - :admin
SET client_min_messages = warning;
INSERT INTO agent.usage (tenant_id, usage_id, turn_id, trace_id, subject, model, admitted_model, requests, input_tokens, output_tokens, cost_picodollars, admitted_at, late)
    SELECT tenant_id, 'huge' || n, turn_id, trace_id, subject, model, admitted_model, 1, 5000000000000000000, 0, 5000000000000000000, admitted_at, true
    FROM agent.usage, generate_series(1, 2) n;
SELECT b.period, v.counter_picodollars, v.counter_tokens, v.ok FROM tenancy.verify_counters() v JOIN tenancy.budgets b USING (budget_id) WHERE b.tenant_id = 'globex' ORDER BY 1;
SELECT tenancy.slots_drop();
\c - regress_app
SELECT public.try_turn(:'token_globex_carol', '{}');
\c - :admin
SET client_min_messages = warning;
SELECT b.period, v.counter_picodollars, v.counter_tokens, v.ok FROM tenancy.verify_counters() v JOIN tenancy.budgets b USING (budget_id) WHERE b.tenant_id = 'globex' ORDER BY 1;

-- rates: more than the limit can ever give is refused for good
DELETE FROM tenancy.budgets;
DELETE FROM tenancy.prices;
SELECT tenancy.set_rate_limit('acme', tokens_per_minute => 60000000000);
\c - regress_app
SELECT public.try_turn(:'token_acme_alice', '{"n": 128, "max_tokens": 10000000}');
\c - :admin
SET client_min_messages = warning;
SELECT tenancy.set_rate_limit('acme', tokens_per_minute => 1);
\c - regress_app
SELECT public.try_turn(:'token_acme_alice', '{"n": 128, "max_tokens": 10000000}');
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice'), tenancy.take_request(9223372036854775807);
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice'), tenancy.take_request(-1);
\c - :admin
SET client_min_messages = warning;
SELECT tenancy.set_rate_limit('acme');
DROP FUNCTION public.try_turn;
TRUNCATE agent.sessions, agent.turns, agent.usage, agent.traces, tenancy.alerts CASCADE;
