-- A turn with fallback models: the dearest is held for, the one that ran is charged, and no other name is cheaper.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
SET client_min_messages = warning;
TRUNCATE agent.sessions, agent.turns, agent.usage, agent.traces CASCADE;
DELETE FROM tenancy.budgets;
DELETE FROM tenancy.prices;
SELECT tenancy.set_price('first', 1, 10, valid_from => '2020-01-01');
SELECT tenancy.set_price('cheap', 0.5, 1, valid_from => '2020-01-01');
SELECT tenancy.set_price('dear', 3, 4, valid_from => '2020-01-01');
SELECT tenancy.set_budget('acme', 'total', 1);
CREATE FUNCTION public.begin_with(fallbacks jsonb, more jsonb DEFAULT '{}') RETURNS agent.response LANGUAGE sql
    RETURN (SELECT ROW(c.status, c.headers, c.body)::agent.response FROM agent.call('begin_turn', current_setting('test.token'),
        '{"messages": [{"role": "user", "content": "x"}], "max_tokens": 10}' || more,
        jsonb_build_object('model', 'first', 'fallback_models', fallbacks)) AS c);
CREATE FUNCTION public.end_as(model text, fallbacks jsonb DEFAULT '["cheap", "dear"]') RETURNS TABLE (ran text, priced_as text, cost bigint)
LANGUAGE plpgsql AS $$
DECLARE
    ended agent.response := agent.end_turn((public.begin_with(fallbacks)).body ->> 'ticket', jsonb_build_object('status', 'ok', 'model', model,
        'message', '{"role": "assistant", "content": "y"}'::jsonb, 'usage', '{"prompt_tokens": 10, "completion_tokens": 10}'::jsonb));
BEGIN
    RETURN QUERY SELECT u.model, u.price_id, u.cost_picodollars FROM agent.usage AS u WHERE u.turn_id = ended.body ->> 'turn_id';
END
$$;
\c - regress_app
SET test.token = :'token_acme_alice';

-- each part of what is held is the dearest of any model's: 3 for input, 10 for output
SELECT status FROM public.begin_with('["cheap", "dear"]');
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT model, fallback_models, hold_picodollars - 10 * 10000000 AS input_held FROM agent.turns WHERE status = 'open';
COMMIT;

-- the model that ran is charged at its own price, the first one or another
SELECT * FROM public.end_as('first');
SELECT * FROM public.end_as('cheap');
SELECT * FROM public.end_as('dear');

-- a name that is none of the turn's is charged as the dearest of them, priced or not
SELECT * FROM public.end_as('nobody');
SELECT * FROM public.end_as('cheap', '["dear"]');
SELECT * FROM public.end_as('cheap', '[]');
SELECT * FROM public.end_as('cheap', NULL);
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT t.model, s.attributes ->> 'gen_ai.response.model' AS ran, count(*) FROM agent.traces AS t
JOIN agent.spans AS s USING (tenant_id, trace_id) WHERE s.name = 'model_call' GROUP BY 1, 2 ORDER BY 1, 2;
COMMIT;

-- every one must have a price
SELECT status, body #>> '{error,message}' AS message FROM public.begin_with('["cheap", "unpriced"]');
-- and what the dearest could cost must be there, or as much output as it leaves
SELECT status, body #>> '{error,code}' AS code FROM public.begin_with('["cheap"]', '{"max_tokens": 99900}');
SELECT status, (body ->> 'max_tokens')::int BETWEEN 90000 AND 99899 AS clamped FROM public.begin_with('["cheap"]', '{"max_tokens": 99900, "clamp_to_budget": true}');

-- what is no list is refused, and so is a long one
SELECT public.begin_with('{"a": 1}');
SELECT length(set_config('tenancy.fallback_models', repeat(' ', 2048), false));

\c - :admin
DO $$
BEGIN
    PERFORM set_config('tenancy.fallback_models', repeat(' ', 2049), false);
EXCEPTION WHEN invalid_parameter_value THEN
    RAISE NOTICE 'too long';
END
$$;
SET client_min_messages = warning;
DROP FUNCTION public.begin_with, public.end_as;
TRUNCATE agent.sessions, agent.turns, agent.usage, agent.traces CASCADE;
DELETE FROM tenancy.budgets;
DELETE FROM tenancy.prices;
