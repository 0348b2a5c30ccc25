-- Routes of traces.

CREATE FUNCTION agent.trace_summary(trace agent.traces) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.jsonb_build_object(
        'trace_id', (trace).trace_id,
        'started_at', (trace).started_at,
        'ended_at', (trace).ended_at,
        'model', (trace).model,
        'session_id', (trace).session_id,
        'status', (trace).status,
        'duration_ms', pg_catalog.round(
            pg_catalog.date_part('epoch', (trace).ended_at - (trace).started_at)::numeric * 1000, 3),
        'span_count', (trace).span_count,
        'tool_calls', (trace).tool_calls,
        'prompt_tokens', (trace).prompt_tokens,
        'completion_tokens', (trace).completion_tokens);
END;
COMMENT ON FUNCTION agent.trace_summary(agent.traces) IS 'A trace without its spans, as the API shows it';
REVOKE ALL ON FUNCTION agent.trace_summary(agent.traces) FROM PUBLIC;

CREATE FUNCTION agent.list_traces(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
    errors jsonb;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    errors := agent.invalid_fields(body, 'query',
        '{"limit": {"type": "integer", "min": 1, "max": 1000}, "offset": {"type": "integer", "min": 0}}');
    IF errors IS NOT NULL THEN
        RETURN agent.refuse('trace.list', 'trace', NULL, 422, 'invalid_request', errors);
    END IF;
    RETURN agent.answer(200, (
        SELECT coalesce(jsonb_agg(agent.trace_summary(t) ORDER BY t.started_at DESC, t.trace_id DESC), '[]')
        FROM (
            SELECT * FROM agent.traces AS x
            ORDER BY x.started_at DESC, x.trace_id DESC
            LIMIT coalesce((body ->> 'limit')::bigint, 50)
            OFFSET coalesce((body ->> 'offset')::bigint, 0)
        ) AS t));
END
$$;
COMMENT ON FUNCTION agent.list_traces(text, jsonb) IS
    'GET /v1/traces: {limit? 50, 1 to 1000; offset?}. 200 array, newest first; 422';
REVOKE ALL ON FUNCTION agent.list_traces(text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.get_trace(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
    wanted text := body ->> 'trace_id';
    trace agent.traces;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    SELECT * INTO trace FROM agent.traces AS t WHERE t.trace_id = wanted;
    IF NOT FOUND THEN
        RETURN agent.not_found('trace.read', 'trace', wanted);
    END IF;
    RETURN agent.answer(200, agent.trace_summary(trace) || jsonb_build_object('spans', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'trace_id', s.trace_id,
            'span_id', s.span_id,
            'parent_span_id', s.parent_span_id,
            'name', s.name,
            'start_time', extract(epoch FROM s.start_time),
            'end_time', extract(epoch FROM s.end_time),
            'status', s.status,
            'attributes', s.attributes,
            'events', s.events)
            ORDER BY s.start_time, s.parent_span_id NULLS FIRST, s.span_id), '[]')
        FROM agent.spans AS s
        WHERE s.trace_id = wanted)));
END
$$;
COMMENT ON FUNCTION agent.get_trace(text, jsonb) IS
    'GET /v1/traces/{trace_id}: the trace and its spans; span times are seconds since 1970. 200; 404';
REVOKE ALL ON FUNCTION agent.get_trace(text, jsonb) FROM PUBLIC;
