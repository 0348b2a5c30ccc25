-- Routes of feedback: list and statistics.

CREATE FUNCTION agent.list_feedback(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
    errors jsonb;
    since_ timestamptz;
    until_ timestamptz;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    errors := agent.invalid_fields(body, 'query',
        '{"limit": {"type": "integer", "min": 1}, "offset": {"type": "integer", "min": 0},
          "since": {"type": "time"}, "until": {"type": "time"},
          "trace_id": {"type": "string"}, "session_id": {"type": "string"}, "user_id": {"type": "string"}}');
    IF errors IS NOT NULL THEN
        RETURN agent.refuse('feedback.list', 'feedback', NULL, 422, 'invalid_request', errors);
    END IF;
    since_ := agent.parse_time(body ->> 'since');
    until_ := agent.parse_time(body ->> 'until');
    RETURN agent.answer(200, (
        SELECT coalesce(jsonb_agg(agent.feedback_record(f) ORDER BY f.created_at DESC, f.feedback_id DESC), '[]')
        FROM (
            SELECT * FROM agent.feedback AS x
            WHERE (since_ IS NULL OR x.created_at >= since_)
                AND (until_ IS NULL OR x.created_at <= until_)
                AND (body ->> 'trace_id' IS NULL OR x.trace_id = body ->> 'trace_id')
                AND (body ->> 'session_id' IS NULL OR x.session_id = body ->> 'session_id')
                AND (body ->> 'user_id' IS NULL OR x.user_id = body ->> 'user_id')
            ORDER BY x.created_at DESC, x.feedback_id DESC
            LIMIT least(coalesce((body ->> 'limit')::bigint, 50), 1000)
            OFFSET coalesce((body ->> 'offset')::bigint, 0)
        ) AS f));
END
$$;
COMMENT ON FUNCTION agent.list_feedback(text, jsonb) IS
    'GET /v1/feedback: {trace_id?, session_id?, user_id?, since?, until?, limit? 50, at most 1000; offset?}. '
    '200 array, newest first; 422';
REVOKE ALL ON FUNCTION agent.list_feedback(text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.feedback_stats(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
    errors jsonb;
    width text := coalesce(body ->> 'window', 'day');
    since_ timestamptz;
    until_ timestamptz;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    errors := agent.invalid_fields(body, 'query',
        '{"since": {"type": "time"}, "until": {"type": "time"}, "agent_type": {"type": "string"}}');
    IF errors IS NOT NULL THEN
        RETURN agent.refuse('feedback.stats', 'feedback', NULL, 422, 'invalid_request', errors);
    ELSIF width NOT IN ('hour', 'day', 'week') THEN
        RETURN agent.refuse('feedback.stats', 'feedback', NULL, 400, 'invalid_request',
            '"window must be ''hour'', ''day'', or ''week''"');
    END IF;
    since_ := agent.parse_time(body ->> 'since');
    until_ := agent.parse_time(body ->> 'until');
    RETURN agent.answer(200, (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'window_start', w.opened, 'window_end', w.opened + ('1 ' || width)::interval,
            'agent_type', w.agent_type, 'thumbs_up', w.up, 'thumbs_down', w.down,
            'total', w.up + w.down) ORDER BY w.opened, w.agent_type NULLS FIRST), '[]')
        FROM (
            SELECT date_trunc(width, f.created_at) AS opened, f.agent_type,
                count(*) FILTER (WHERE f.rating = 1) AS up, count(*) FILTER (WHERE f.rating = -1) AS down
            FROM agent.feedback AS f
            WHERE (since_ IS NULL OR f.created_at >= since_)
                AND (until_ IS NULL OR f.created_at <= until_)
                AND (body ->> 'agent_type' IS NULL OR f.agent_type = body ->> 'agent_type')
            GROUP BY 1, 2
        ) AS w));
END
$$;
COMMENT ON FUNCTION agent.feedback_stats(text, jsonb) IS
    'GET /v1/feedback/stats: {window? hour, day or week; agent_type?, since?, until?}. '
    '200 array, ascending; 400; 422. Windows are in UTC';
REVOKE ALL ON FUNCTION agent.feedback_stats(text, jsonb) FROM PUBLIC;
