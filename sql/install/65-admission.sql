-- What a turn may use: the bounds that are held, the refusal when they do not fit, and its answer.

-- Bounds of one chat request. A byte-level tokenizer makes at most one token of a byte, plus a few for
-- each message; output is what the client asks for, or tenancy.max_output_tokens.
CREATE TYPE agent.turn_bounds AS (input_tokens bigint, output_tokens bigint, choices bigint, clamp boolean);
COMMENT ON TYPE agent.turn_bounds IS
    'Internal: the most tokens a turn can use; clamp = the client accepts fewer output tokens';

CREATE FUNCTION agent.bounds_of(body jsonb, history jsonb) RETURNS agent.turn_bounds
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN ROW(
        coalesce(octet_length(body::text), 0)::bigint + coalesce(octet_length(history::text) + 8 * jsonb_array_length(history), 0),
        greatest(coalesce((body ->> 'max_completion_tokens')::bigint, (body ->> 'max_tokens')::bigint,
            current_setting('tenancy.max_output_tokens')::bigint), 1),
        greatest(coalesce((body ->> 'n')::bigint, 1), 1),
        coalesce(body -> 'clamp_to_budget' = 'true', false))::agent.turn_bounds;
END
$$;
COMMENT ON FUNCTION agent.bounds_of(jsonb, jsonb) IS 'The bounds of a chat request with its history';
REVOKE ALL ON FUNCTION agent.bounds_of(jsonb, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.rate_estimate(bounds agent.turn_bounds) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN bounds.input_tokens / 4 + bounds.output_tokens * bounds.choices;
COMMENT ON FUNCTION agent.rate_estimate(agent.turn_bounds) IS
    'Tokens that a turn takes from its rate at first: a token per four bytes of input, and all the output asked for';
REVOKE ALL ON FUNCTION agent.rate_estimate(agent.turn_bounds) FROM PUBLIC;

-- Rate first, then money: a refusal of either leaves the other untouched. NULL = admitted.
-- Nobody knows yet which of the models will answer: all must have a price, and what is held pays for the
-- dearest part of each.
CREATE FUNCTION agent.admit(turn tenancy.turn_scope, models text[], INOUT bounds agent.turn_bounds, OUT refusal jsonb,
    OUT money bigint, OUT rate_tokens bigint, OUT headers jsonb)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    candidate text;
    price tenancy.prices;
    dearest tenancy.prices;
    rate record;
    held record;
BEGIN
    FOREACH candidate IN ARRAY models LOOP
        price := tenancy.price_of(candidate, turn.admitted_at);
        IF price IS NULL AND tenancy.money_counts() THEN
            refusal := jsonb_build_object('code', 'model_not_priced', 'scope_value', candidate);
            RETURN;
        END IF;
        IF dearest IS NULL THEN
            dearest := price;
        ELSE
            dearest := tenancy.dearer_price(dearest, price);
        END IF;
    END LOOP;
    rate := tenancy.take_rate(1, 1);
    headers := agent.rate_headers('requests', to_jsonb(rate));
    IF NOT rate.allowed THEN
        refusal := jsonb_build_object('code', 'rate_limit_exceeded', 'scope', 'requests') || to_jsonb(rate);
        RETURN;
    END IF;
    rate_tokens := agent.rate_estimate(bounds);
    rate := tenancy.take_rate(2, rate_tokens);
    IF NOT rate.allowed THEN
        refusal := jsonb_build_object('code', 'rate_limit_exceeded', 'scope', 'tokens') || to_jsonb(rate);
        rate_tokens := 0;
    ELSE
        IF rate."limit" IS NOT NULL THEN
            headers := agent.rate_headers('tokens', to_jsonb(rate)) || headers;
        END IF;
        held := agent.hold_clamped(turn, dearest, bounds);
        bounds.output_tokens := held.output_tokens;
        money := held.money;
        refusal := held.refusal;
    END IF;
    IF refusal IS NOT NULL THEN
        PERFORM tenancy.give_back_rate(turn.tenant_id, 1, 1, turn.admitted_at),
            tenancy.give_back_rate(turn.tenant_id, 2, rate_tokens, turn.admitted_at);
    END IF;
END
$$;
COMMENT ON FUNCTION agent.admit(tenancy.turn_scope, text[], agent.turn_bounds) IS
    'Internal: takes the rate and holds the money of a turn, or nothing; refusal is NULL when it is admitted';
REVOKE ALL ON FUNCTION agent.admit(tenancy.turn_scope, text[], agent.turn_bounds) FROM PUBLIC;

-- Holds for all the output asked for or, when the client agreed to that, for as much as there is left.
CREATE FUNCTION agent.hold_clamped(turn tenancy.turn_scope, price tenancy.prices, bounds agent.turn_bounds,
    OUT output_tokens bigint, OUT money bigint, OUT refusal jsonb)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    affordable numeric;
BEGIN
    output_tokens := bounds.output_tokens;
    LOOP
        money := coalesce(tenancy.cost_bound(price, bounds.input_tokens, output_tokens * bounds.choices), 0);
        refusal := tenancy.hold(turn, money, bounds.input_tokens + output_tokens * bounds.choices);
        EXIT WHEN refusal IS NULL OR NOT bounds.clamp;
        affordable := floor(least(
            ((refusal ->> 'limit_picodollars')::numeric - (refusal ->> 'spent_picodollars')::numeric
                - (refusal ->> 'held_picodollars')::numeric - tenancy.cost_bound(price, bounds.input_tokens, 0))
                / nullif(greatest(price.output, price.reasoning), 0),
            (refusal ->> 'limit_tokens')::numeric - (refusal ->> 'spent_tokens')::numeric
                - (refusal ->> 'held_tokens')::numeric - bounds.input_tokens) / bounds.choices);
        EXIT WHEN affordable IS NULL OR affordable < 1 OR affordable >= output_tokens;
        output_tokens := affordable;
    END LOOP;
END
$$;
COMMENT ON FUNCTION agent.hold_clamped(tenancy.turn_scope, tenancy.prices, agent.turn_bounds) IS
    'Internal: holds for a turn, with fewer output tokens when the bounds allow that';
REVOKE ALL ON FUNCTION agent.hold_clamped(tenancy.turn_scope, tenancy.prices, agent.turn_bounds) FROM PUBLIC;

CREATE FUNCTION agent.usd(picodollars bigint) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_catalog.trim_scale(picodollars * 0.000000000001);
COMMENT ON FUNCTION agent.usd(bigint) IS 'Picodollars as USD, exact';
REVOKE ALL ON FUNCTION agent.usd(bigint) FROM PUBLIC;

-- A duration as OpenAI's headers have it: 12ms, 1s, 6m0s.
CREATE FUNCTION agent.duration_text(milliseconds bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN milliseconds < 1000 THEN milliseconds::text || 'ms'
    WHEN milliseconds < 60000 THEN pg_catalog.ceil(milliseconds / 1000.0)::text || 's'
    ELSE (milliseconds / 60000)::text || 'm' || ((milliseconds % 60000) / 1000)::text || 's' END;
COMMENT ON FUNCTION agent.duration_text(bigint) IS 'Milliseconds in the form of the x-ratelimit-reset headers';
REVOKE ALL ON FUNCTION agent.duration_text(bigint) FROM PUBLIC;

-- Headers of a rate decision: OpenAI's, and the RateLimit fields of the IETF draft (structured lists).
CREATE FUNCTION agent.rate_headers(unit text, rate jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    "limit" CONSTANT text := rate ->> 'limit';
    remaining CONSTANT text := rate ->> 'remaining';
    reset_ms CONSTANT bigint := rate ->> 'reset_after_ms';
BEGIN
    IF "limit" IS NULL THEN
        RETURN '{}';
    END IF;
    RETURN jsonb_build_object(
        'RateLimit-Policy', format('"%s";q=%s;w=60', unit, "limit"),
        'RateLimit', format('"%s";r=%s;t=%s', unit, remaining, ceil(reset_ms / 1000.0)),
        'x-ratelimit-limit-' || unit, "limit",
        'x-ratelimit-remaining-' || unit, remaining,
        'x-ratelimit-reset-' || unit, agent.duration_text(reset_ms));
END
$$;
COMMENT ON FUNCTION agent.rate_headers(text, jsonb) IS 'HTTP headers that tell a client its rate limit';
REVOKE ALL ON FUNCTION agent.rate_headers(text, jsonb) FROM PUBLIC;

-- What the reference calls its budget refusal, and OpenAI's error object, in one body.
CREATE FUNCTION agent.limit_body(refusal jsonb, message text) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.jsonb_build_object(
        'detail', pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
            'error', CASE refusal ->> 'code' WHEN 'insufficient_quota' THEN 'budget_exceeded' ELSE refusal ->> 'code' END,
            'message', message, 'scope', refusal -> 'scope',
            'identifier', CASE refusal ->> 'scope' WHEN 'tenant' THEN tenancy.current_tenant()
                ELSE nullif(refusal ->> 'scope_value', '') END,
            'window', refusal -> 'window',
            'current_usd', agent.usd((refusal ->> 'spent_picodollars')::bigint),
            'held_usd', agent.usd((refusal ->> 'held_picodollars')::bigint),
            'limit_usd', agent.usd((refusal ->> 'limit_picodollars')::bigint),
            'current_tokens', refusal -> 'spent_tokens', 'held_tokens', refusal -> 'held_tokens',
            'limit_tokens', refusal -> 'limit_tokens',
            'limit', refusal -> 'limit', 'per', refusal -> 'per', 'remaining', refusal -> 'remaining',
            'retry_after_ms', refusal -> 'retry_after_ms', 'resets_at', refusal -> 'resets_at')),
        'error', pg_catalog.jsonb_build_object(
            'message', message, 'param', NULL, 'code', refusal -> 'code',
            'type', CASE refusal ->> 'code' WHEN 'insufficient_quota' THEN 'budget_exceeded'
                WHEN 'rate_limit_exceeded' THEN refusal ->> 'scope'
                WHEN 'model_not_priced' THEN 'permission_error' ELSE refusal ->> 'code' END));
END;
COMMENT ON FUNCTION agent.limit_body(jsonb, text) IS 'Body of a refusal by a limit';
REVOKE ALL ON FUNCTION agent.limit_body(jsonb, text) FROM PUBLIC;

CREATE FUNCTION agent.limit_refusal(wanted_session text, refusal jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    code CONSTANT text := refusal ->> 'code';
    status CONSTANT int := CASE code WHEN 'insufficient_quota' THEN 402 WHEN 'model_not_priced' THEN 403 ELSE 429 END;
    wait_ms bigint := coalesce((refusal ->> 'retry_after_ms')::bigint, 1000);
    headers jsonb := '{}';
    message text;
BEGIN
    message := CASE code
        WHEN 'rate_limit_exceeded' THEN format('Rate limit of %s %s a minute%s reached', refusal ->> 'limit', refusal ->> 'scope',
                CASE refusal ->> 'per' WHEN 'subject' THEN ' for each user' ELSE '' END)
            || CASE WHEN refusal ->> 'retry_after_ms' IS NULL THEN '; this request is larger than the limit and can never pass' ELSE '' END
        WHEN 'concurrency_limit_exceeded' THEN format('Limit of %s turns at a time reached', refusal ->> 'limit_tokens')
        WHEN 'insufficient_quota' THEN format('Budget of the %s for this %s is spent', refusal ->> 'scope', refusal ->> 'window')
        WHEN 'budget_held' THEN format('Budget of the %s for this %s is held by turns that still run', refusal ->> 'scope', refusal ->> 'window')
        ELSE format('Model %s has no price', refusal ->> 'scope_value') END;
    IF status = 429 AND (code <> 'rate_limit_exceeded' OR refusal ->> 'retry_after_ms' IS NOT NULL) THEN
        headers := jsonb_build_object('Retry-After', ceil(wait_ms / 1000.0)::text, 'retry-after-ms', wait_ms::text);
    ELSE
        headers := '{"x-should-retry": "false"}';
    END IF;
    IF code = 'rate_limit_exceeded' THEN
        headers := headers || agent.rate_headers(refusal ->> 'scope', refusal);
    END IF;
    PERFORM agent.record_refusal(CASE WHEN code IN ('rate_limit_exceeded', 'concurrency_limit_exceeded')
        THEN 'rate_limit.reject' ELSE 'budget.reject' END, 'session', wanted_session, status, code);
    RETURN ROW(status, headers, agent.limit_body(refusal, message))::agent.response;
END
$$;
COMMENT ON FUNCTION agent.limit_refusal(text, jsonb) IS
    'Answer of a refusal by a limit, put on record: 429 with Retry-After, 402, or 403 for a model without a price';
REVOKE ALL ON FUNCTION agent.limit_refusal(text, jsonb) FROM PUBLIC;
