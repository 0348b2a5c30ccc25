-- Routes of feedback: create, read and update. The author is the subject of the token.

CREATE FUNCTION agent.feedback_rules(required boolean) RETURNS jsonb
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT CASE WHEN required
        THEN '{"rating": {"type": "integer", "one_of": [1, -1], "expected": "1 or -1", "required": true},
               "trace_id": {"type": "string", "max": 128},
               "model_id": {"type": "string", "max": 256},
               "latency_ms": {"type": "number", "min": 0, "max": 1000000000000},
               "turn_index": {"type": "integer", "min": 0, "max": 2147483647},
               "agent_type": {"type": "string", "max": 256},
               "comment": {"type": "string", "max": 10000},
               "correction": {"type": "string", "max": 10000}}'::jsonb OPERATOR(pg_catalog.||) agent.session_id_rule()
        ELSE '{"rating": {"type": "integer", "one_of": [1, -1], "expected": "1 or -1"},
               "comment": {"type": "string", "max": 10000},
               "correction": {"type": "string", "max": 10000}}'::jsonb END;
END;
COMMENT ON FUNCTION agent.feedback_rules(boolean) IS
    'Rules of a new (true) or changed (false) feedback, for invalid_fields';
REVOKE ALL ON FUNCTION agent.feedback_rules(boolean) FROM PUBLIC;

CREATE FUNCTION agent.feedback_record(row_ agent.feedback) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.to_jsonb(row_) - 'tenant_id';
END;
COMMENT ON FUNCTION agent.feedback_record(agent.feedback) IS 'A feedback as the API shows it: twelve fields';
REVOKE ALL ON FUNCTION agent.feedback_record(agent.feedback) FROM PUBLIC;

CREATE FUNCTION agent.create_feedback(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    errors jsonb;
    created text;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    errors := agent.invalid_fields(body, 'body', agent.feedback_rules(true));
    IF errors IS NOT NULL THEN
        RETURN agent.refuse('feedback.create', 'feedback', NULL, 422, 'invalid_request', errors);
    END IF;
    INSERT INTO agent.feedback (
        trace_id, session_id, rating, comment, correction, model_id, latency_ms, turn_index, agent_type)
    VALUES (
        coalesce(body ->> 'trace_id', agent.new_id('trace_')), body ->> 'session_id',
        (body ->> 'rating')::int, body ->> 'comment', body ->> 'correction', body ->> 'model_id',
        (body ->> 'latency_ms')::float8, (body ->> 'turn_index')::int, body ->> 'agent_type')
    RETURNING feedback_id INTO created;
    RETURN agent.answer(201, jsonb_build_object('feedback_id', created));
END
$$;
COMMENT ON FUNCTION agent.create_feedback(text, jsonb) IS
    'POST /v1/feedback: {rating 1 or -1, trace_id?, session_id?, comment?, correction?, model_id?, latency_ms?, '
    'turn_index?, agent_type?}. 201 {feedback_id}; 422';
REVOKE ALL ON FUNCTION agent.create_feedback(text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.get_feedback(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
    wanted text := body ->> 'feedback_id';
    found_row agent.feedback;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    SELECT * INTO found_row FROM agent.feedback AS f WHERE f.feedback_id = wanted;
    IF NOT FOUND THEN
        RETURN agent.not_found('feedback.read', 'feedback', wanted);
    END IF;
    RETURN agent.answer(200, agent.feedback_record(found_row));
END
$$;
COMMENT ON FUNCTION agent.get_feedback(text, jsonb) IS 'GET /v1/feedback/{feedback_id}. 200 the record; 404';
REVOKE ALL ON FUNCTION agent.get_feedback(text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.update_feedback(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
    wanted text := body ->> 'feedback_id';
    errors jsonb;
    found_row agent.feedback;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    errors := agent.invalid_fields(body, 'body', agent.feedback_rules(false));
    IF errors IS NOT NULL THEN
        RETURN agent.refuse('feedback.update', 'feedback', wanted, 422, 'invalid_request', errors);
    END IF;
    SELECT * INTO found_row FROM agent.feedback AS f WHERE f.feedback_id = wanted;
    IF NOT FOUND THEN
        RETURN agent.not_found('feedback.update', 'feedback', wanted);
    ELSIF found_row.user_id IS DISTINCT FROM tenancy.current_subject() THEN
        RETURN agent.refuse('feedback.update', 'feedback', wanted, 403, 'not_author',
            '"Feedback can be changed by its author only"', 'not_author');
    END IF;
    UPDATE agent.feedback AS f
    SET rating = coalesce((body ->> 'rating')::int, f.rating),
        comment = coalesce(body ->> 'comment', f.comment),
        correction = coalesce(body ->> 'correction', f.correction)
    WHERE f.feedback_id = wanted
    RETURNING f.* INTO found_row;
    IF NOT FOUND THEN
        RETURN agent.not_found('feedback.update', 'feedback', wanted);
    END IF;
    RETURN agent.answer(200, agent.feedback_record(found_row));
END
$$;
COMMENT ON FUNCTION agent.update_feedback(text, jsonb) IS
    'PATCH /v1/feedback/{feedback_id}: {rating?, comment?, correction?}, null = unchanged. '
    '200 the record; 403 for anyone but the author; 404; 422';
REVOKE ALL ON FUNCTION agent.update_feedback(text, jsonb) FROM PUBLIC;
