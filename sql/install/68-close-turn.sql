-- The rest of end_turn: trace, spans, audit, and the function itself.

CREATE FUNCTION agent.write_spans(turn agent.turns, used agent.usage, result jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    root text := agent.new_id('span_');
    failure jsonb := nullif(result -> 'error', 'null');
BEGIN
    INSERT INTO agent.spans (
        tenant_id, trace_id, span_id, parent_span_id, name, start_time, end_time, status, attributes, events)
    VALUES (
        turn.tenant_id, turn.trace_id, root, NULL, 'request', turn.started_at, used.occurred_at, result ->> 'status',
        jsonb_build_object(
            'model', coalesce(turn.model_label, turn.model), 'stream', turn.stream, 'session_id', turn.session_id,
            'gen_ai.operation.name', 'chat', 'gen_ai.request.model', coalesce(turn.model, turn.model_label),
            'finish_reason', result -> 'finish_reason'),
        CASE WHEN failure IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_object(
            'name', 'error', 'timestamp', extract(epoch FROM used.occurred_at), 'body', jsonb_build_object(
                'type', left(failure ->> 'type', 128), 'message', left(failure ->> 'message', 1024)))) END
    ), (
        turn.tenant_id, turn.trace_id, agent.new_id('span_'), root, 'model_call',
        coalesce(turn.dispatched_at, turn.started_at), used.occurred_at, result ->> 'status',
        jsonb_build_object(
            'prompt_tokens', used.input_tokens, 'completion_tokens', used.output_tokens,
            'total_tokens', used.input_tokens + used.output_tokens,
            'total_time', result #> '{stream_metrics,total_time}',
            'gen_ai.usage.input_tokens', used.input_tokens, 'gen_ai.usage.output_tokens', used.output_tokens,
            'gen_ai.response.model', used.model),
        '[]');
END
$$;
COMMENT ON FUNCTION agent.write_spans(agent.turns, agent.usage, jsonb) IS
    'The spans "request" and "model_call" of an ended turn';
REVOKE ALL ON FUNCTION agent.write_spans(agent.turns, agent.usage, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.close_trace(turn agent.turns, used agent.usage, result jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE agent.traces AS t
    SET ended_at = used.occurred_at, status = result ->> 'status', model = coalesce(used.model, t.model),
        span_count = 2, prompt_tokens = used.input_tokens, completion_tokens = used.output_tokens,
        tool_calls = CASE jsonb_typeof(result #> '{message,tool_calls}')
            WHEN 'array' THEN jsonb_array_length(result #> '{message,tool_calls}') ELSE 0 END
    -- Also by its start, as open_trace() wrote it: any index of the table then leads to this one row. Without
    -- statistics the planner may take the one by start, and would read all traces of the tenant.
    WHERE t.tenant_id = turn.tenant_id AND t.trace_id = turn.trace_id AND t.started_at = turn.started_at;
    IF FOUND THEN
        PERFORM agent.write_spans(turn, used, result);
    END IF;
END
$$;
COMMENT ON FUNCTION agent.close_trace(agent.turns, agent.usage, jsonb) IS
    'Complete the trace of a turn; a trace that retention removed meanwhile stays removed';
REVOKE ALL ON FUNCTION agent.close_trace(agent.turns, agent.usage, jsonb) FROM PUBLIC;

-- The audit row of a turn takes its actor from the turn: end_turn sees no token.
CREATE FUNCTION agent.audit_turn(turn agent.turns, used agent.usage, result jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entry agent.audit_log;
BEGIN
    entry.tenant_id := turn.tenant_id;
    entry.actor := turn.subject;
    entry.issuer := turn.issuer;
    entry.token_id_hash := turn.token_id_hash;
    entry.request_id := turn.request_id;
    entry.action := 'chat.complete';
    entry.resource_type := 'turn';
    entry.resource_id := turn.turn_id;
    entry.outcome := CASE result ->> 'status' WHEN 'error' THEN 'error' ELSE 'allow' END;
    entry.reason := left(CASE result ->> 'status' WHEN 'aborted' THEN 'aborted'
        WHEN 'error' THEN coalesce(result #>> '{error,type}', 'error') END, 128);
    entry.trace_id := turn.trace_id;
    entry.session_id := turn.session_id;
    entry.prompt_tokens := used.input_tokens;
    entry.completion_tokens := used.output_tokens;
    entry.cost_picodollars := used.cost_picodollars;
    PERFORM agent.append_audit(entry);
END
$$;
COMMENT ON FUNCTION agent.audit_turn(agent.turns, agent.usage, jsonb) IS 'Put an ended turn on record';
REVOKE ALL ON FUNCTION agent.audit_turn(agent.turns, agent.usage, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.end_turn(ticket text, result jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    turn agent.turns;
    used agent.usage;
    errors jsonb;
    is_repeated boolean;
BEGIN
    SELECT * INTO turn FROM agent.turns AS t
    WHERE t.tenant_id = substr(ticket, 66) AND t.turn_id = agent.turn_of_ticket(ticket)
        AND t.ticket_hash = sha256(convert_to(ticket, 'UTF8'))
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN agent.answer(404, '{"detail": "Unknown ticket"}');
    END IF;
    -- A turn that the sweeper ended is charged all the same when its server reports, and marked late.
    is_repeated := turn.status NOT IN ('open', 'expired');
    IF NOT is_repeated THEN
        errors := agent.invalid_result(result);
        IF errors IS NOT NULL THEN
            RETURN agent.answer(422, jsonb_build_object('detail', errors));
        END IF;
        -- Before the session's row, as begin_turn does: in another order the two could wait for each other.
        PERFORM tenancy.lock_ledger(turn.tenant_id, false);
        -- A failed turn that produced nothing leaves no trace in the conversation: its client asks again.
        IF turn.session_id IS NOT NULL AND nullif(result -> 'message', 'null') IS NOT NULL THEN
            PERFORM agent.append_messages(turn, result -> 'message');
        END IF;
        used := agent.record_usage(turn, result);
        PERFORM agent.close_trace(turn, used, result);
        PERFORM agent.audit_turn(turn, used, result);
        UPDATE agent.turns AS t
        SET ended_at = used.occurred_at, status = result ->> 'status', input = NULL
        WHERE t.tenant_id = turn.tenant_id AND t.turn_id = turn.turn_id;
    ELSE
        SELECT * INTO used FROM agent.usage AS u
        WHERE u.tenant_id = turn.tenant_id AND u.turn_id = turn.turn_id AND NOT u.late;
    END IF;
    RETURN agent.answer(200, jsonb_build_object(
        'turn_id', turn.turn_id, 'trace_id', turn.trace_id, 'repeated', is_repeated,
        'used_tokens', CASE turn.status WHEN 'open' THEN used.input_tokens + used.output_tokens END,
        'charged_picodollars', used.cost_picodollars, 'overrun', used.overrun, 'late', used.late));
END
$$;
COMMENT ON FUNCTION agent.end_turn(text, jsonb) IS
    'Second half of a chat completion: settle the one turn that the ticket names. '
    'A ticket counts once; a retry changes nothing. '
    '200 {turn_id, trace_id, repeated, used_tokens: NULL unless this call ended it in time, charged_picodollars, overrun, late}; '
    '404 unknown ticket; 422 leaves the turn open';
REVOKE ALL ON FUNCTION agent.end_turn(text, jsonb) FROM PUBLIC;
