-- The second half of a turn: messages, usage, trace, spans and audit in one transaction.
-- end_turn is the only definer here that runs without a tenant context: it takes tenant and ids from the
-- turn that the ticket names. Its parts are for it alone and granted to nobody.
-- Locks are taken in the order turn, session, trace.

CREATE FUNCTION agent.invalid_result(result jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    errors jsonb;
    message jsonb := nullif(result -> 'message', 'null');
BEGIN
    errors := agent.invalid_fields(coalesce(result, 'null'), 'body',
        '{"status": {"type": "string", "pattern": "^(ok|error|aborted)$", "required": true},
          "message": {"type": "object"}, "usage": {"type": "object"}, "error": {"type": "object"},
          "stream_metrics": {"type": "object"}, "finish_reason": {"type": "string", "max": 64},
          "model": {"type": "string", "max": 256}, "estimated": {"type": "boolean"}, "stream": {"type": "boolean"}}');
    IF errors IS NOT NULL THEN
        RETURN errors;
    ELSIF message IS NULL AND result ->> 'status' = 'ok' THEN
        RETURN jsonb_build_array(agent.field_error('missing', '["body", "message"]', 'null', NULL));
    ELSIF message ->> 'role' IS DISTINCT FROM 'assistant' AND message IS NOT NULL THEN
        RETURN jsonb_build_array(agent.field_error('literal_error', '["body", "message", "role"]', message -> 'role',
            '{"expected": "''assistant''"}'));
    END IF;
    RETURN agent.invalid_fields(result -> 'usage', 'usage',
        '{"prompt_tokens": {"type": "integer", "min": 0, "max": 10000000000}, "completion_tokens": {"type": "integer", "min": 0, "max": 10000000000},
          "total_tokens": {"type": "integer", "min": 0, "max": 10000000000}, "cached_tokens": {"type": "integer", "min": 0, "max": 10000000000},
          "cache_write_tokens": {"type": "integer", "min": 0, "max": 10000000000}, "reasoning_tokens": {"type": "integer", "min": 0, "max": 10000000000}}');
END
$$;
COMMENT ON FUNCTION agent.invalid_result(jsonb) IS
    'What is wrong with the result of a turn, as the detail of a 422 answer; NULL when nothing is';
REVOKE ALL ON FUNCTION agent.invalid_result(jsonb) FROM PUBLIC;

-- A session that was deleted and made again is another conversation under the same id.
CREATE FUNCTION agent.append_messages(turn agent.turns, message jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    fresh jsonb := turn.input || message;
    start bigint;
BEGIN
    UPDATE agent.sessions AS s
    SET next_seq = s.next_seq + jsonb_array_length(fresh), updated_at = clock_timestamp()
    WHERE s.tenant_id = turn.tenant_id AND s.session_id = turn.session_id AND s.created_at = turn.session_created_at
    RETURNING s.next_seq - jsonb_array_length(fresh) INTO start;
    INSERT INTO agent.messages (tenant_id, session_id, seq, turn_id, message)
    SELECT turn.tenant_id, turn.session_id, start + m.n - 1, turn.turn_id, m.message
    FROM jsonb_array_elements(fresh) WITH ORDINALITY AS m(message, n)
    WHERE start IS NOT NULL;
END
$$;
COMMENT ON FUNCTION agent.append_messages(agent.turns, jsonb) IS
    'Append a turn''s input and answer to its session under the session row''s lock; nothing when the session is gone';
REVOKE ALL ON FUNCTION agent.append_messages(agent.turns, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.estimated_input(turn agent.turns) RETURNS bigint
LANGUAGE sql IMMUTABLE
RETURN pg_catalog.ceil(coalesce(turn.input_token_bound, 0) / 4.0);
COMMENT ON FUNCTION agent.estimated_input(agent.turns) IS 'Input tokens of a turn whose provider reported none: a token per four bytes';
REVOKE ALL ON FUNCTION agent.estimated_input(agent.turns) FROM PUBLIC;

-- A provider that reports more cached than input tokens must not make the charge fail: parts are capped.
-- What was metered on the way is charged whatever the report says; then at least the input was sent, too.
CREATE FUNCTION agent.used_tokens(turn agent.turns, result jsonb) RETURNS agent.usage
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    used jsonb := nullif(result -> 'usage', 'null');
    metered CONSTANT bigint := coalesce(turn.metered_output_tokens, 0);
    line agent.usage;
BEGIN
    line.input_tokens := coalesce((used ->> 'prompt_tokens')::bigint, 0);
    IF line.input_tokens = 0 AND metered > 0 THEN
        line.input_tokens := agent.estimated_input(turn);
    END IF;
    line.output_tokens := greatest(coalesce((used ->> 'completion_tokens')::bigint, 0), metered);
    line.cached_input_tokens := least(coalesce((used ->> 'cached_tokens')::bigint, 0), line.input_tokens);
    line.cache_write_tokens := least(coalesce((used ->> 'cache_write_tokens')::bigint, 0),
        line.input_tokens - line.cached_input_tokens);
    line.reasoning_tokens := least(coalesce((used ->> 'reasoning_tokens')::bigint, 0), line.output_tokens);
    line.requests := CASE WHEN used IS NULL AND metered = 0 THEN 0 ELSE 1 END;
    RETURN line;
END
$$;
COMMENT ON FUNCTION agent.used_tokens(agent.turns, jsonb) IS 'The tokens that the result of a turn reports, as a line of the ledger';
REVOKE ALL ON FUNCTION agent.used_tokens(agent.turns, jsonb) FROM PUBLIC;

-- Of the models that a turn was admitted for, the one that ran is charged at its own price. Any other name
-- never makes a turn cheaper: then the dearest of all counts. NULL: no price, which only happens while
-- nothing has one.
CREATE FUNCTION agent.cost_of_turn(turn agent.turns, ran text, line agent.usage) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    model text;
    price tenancy.prices;
    cost bigint;
BEGIN
    FOREACH model IN ARRAY CASE WHEN ran = turn.model OR ran = ANY (turn.fallback_models) THEN ARRAY[ran]
        ELSE ARRAY[turn.model, ran] || turn.fallback_models END LOOP
        price := tenancy.price_of(model, turn.started_at);
        cost := greatest(cost, tenancy.cost_of(price, line.input_tokens, line.cached_input_tokens,
            line.cache_write_tokens, line.output_tokens, line.reasoning_tokens, line.requests));
    END LOOP;
    RETURN cost;
END
$$;
COMMENT ON FUNCTION agent.cost_of_turn(agent.turns, text, agent.usage) IS
    'Picodollars of what a turn used, at the prices of the time it was admitted';
REVOKE ALL ON FUNCTION agent.cost_of_turn(agent.turns, text, agent.usage) FROM PUBLIC;

-- What the sweeper has charged for the turn already is taken off; it is never paid back.
CREATE FUNCTION agent.record_usage(turn agent.turns, result jsonb) RETURNS agent.usage
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ran CONSTANT text := coalesce(result ->> 'model', turn.model, turn.model_label);
    line agent.usage := agent.used_tokens(turn, result);
    cost bigint := agent.cost_of_turn(turn, ran, line);
    swept agent.usage;
BEGIN
    IF turn.status = 'expired' THEN
        SELECT * INTO swept FROM agent.usage AS u
        WHERE u.tenant_id = turn.tenant_id AND u.turn_id = turn.turn_id AND NOT u.late;
    END IF;
    INSERT INTO agent.usage (
        tenant_id, turn_id, session_id, trace_id, subject, model, admitted_at, admitted_model, input_tokens, cached_input_tokens,
        cache_write_tokens, output_tokens, reasoning_tokens, requests, cost_picodollars, price_id, estimated, late, overrun)
    VALUES (
        turn.tenant_id, turn.turn_id, turn.session_id, turn.trace_id, turn.subject, ran, turn.started_at, turn.model,
        greatest(line.input_tokens - coalesce(swept.input_tokens, 0), 0),
        CASE WHEN swept IS NULL THEN line.cached_input_tokens ELSE 0 END,
        CASE WHEN swept IS NULL THEN line.cache_write_tokens ELSE 0 END,
        greatest(line.output_tokens - coalesce(swept.output_tokens, 0), 0),
        CASE WHEN swept IS NULL THEN line.reasoning_tokens ELSE 0 END,
        CASE WHEN swept IS NULL THEN line.requests ELSE 0 END,
        CASE WHEN cost IS NOT NULL THEN greatest(cost - coalesce(swept.cost_picodollars, 0), 0) END,
        CASE WHEN cost IS NOT NULL THEN ran END, coalesce((result ->> 'estimated')::boolean, false),
        turn.status = 'expired',
        coalesce(cost > turn.hold_picodollars, false)
            OR coalesce(line.input_tokens + line.output_tokens > turn.hold_tokens, false))
    RETURNING * INTO line;
    IF turn.status = 'open' AND turn.rate_tokens > line.input_tokens + line.output_tokens THEN
        PERFORM tenancy.give_back_rate(turn.tenant_id, 2,
            turn.rate_tokens - line.input_tokens - line.output_tokens, turn.started_at);
    END IF;
    RETURN line;
END
$$;
COMMENT ON FUNCTION agent.record_usage(agent.turns, jsonb) IS
    'Add what a turn used to the ledger, as reported in its result';
REVOKE ALL ON FUNCTION agent.record_usage(agent.turns, jsonb) FROM PUBLIC;
