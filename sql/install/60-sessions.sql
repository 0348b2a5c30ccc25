-- Routes of sessions: create, read, delete, usage.

CREATE FUNCTION agent.create_session(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    errors jsonb;
    wanted text;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    errors := agent.invalid_fields(body, 'body', agent.session_id_rule());
    IF errors IS NOT NULL THEN
        RETURN agent.refuse('session.create', 'session', NULL, 422, 'invalid_request', errors);
    END IF;
    wanted := coalesce(body ->> 'session_id', agent.new_id('sess_'));
    INSERT INTO agent.sessions (session_id) VALUES (wanted) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN agent.refuse('session.create', 'session', wanted, 409, 'already_exists',
            to_jsonb(format('Session %s already exists', wanted)));
    END IF;
    RETURN agent.answer(201, jsonb_build_object('session_id', wanted));
END
$$;
COMMENT ON FUNCTION agent.create_session(text, jsonb) IS
    'POST /v1/sessions: {session_id?}. 201 {session_id}; 409 when the tenant has that id; 422';
REVOKE ALL ON FUNCTION agent.create_session(text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.get_session(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted text := body ->> 'session_id';
    found_messages jsonb;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    SELECT coalesce((SELECT jsonb_agg(m.message ORDER BY m.seq) FROM agent.messages AS m WHERE m.session_id = wanted), '[]')
    INTO found_messages
    FROM agent.sessions AS s WHERE s.session_id = wanted;
    IF NOT FOUND THEN
        RETURN agent.not_found('session.read', 'session', wanted);
    END IF;
    RETURN agent.answer(200, jsonb_build_object('session_id', wanted, 'messages', found_messages));
END
$$;
COMMENT ON FUNCTION agent.get_session(text, jsonb) IS
    'GET /v1/sessions/{session_id}. 200 {session_id, messages}; 404';
REVOKE ALL ON FUNCTION agent.get_session(text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.delete_session(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted text := body ->> 'session_id';
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    DELETE FROM agent.sessions AS s WHERE s.session_id = wanted;
    IF NOT FOUND THEN
        RETURN agent.not_found('session.delete', 'session', wanted);
    END IF;
    RETURN agent.answer(200, '{"deleted": true}');
END
$$;
COMMENT ON FUNCTION agent.delete_session(text, jsonb) IS
    'DELETE /v1/sessions/{session_id} and its messages; usage, traces, feedback and audit stay. 200; 404';
REVOKE ALL ON FUNCTION agent.delete_session(text, jsonb) FROM PUBLIC;

-- An id can be used again after a delete: only what happened since this session was created counts.
CREATE FUNCTION agent.session_usage(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted text := body ->> 'session_id';
    born timestamptz;
    report jsonb;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    SELECT s.created_at INTO born FROM agent.sessions AS s WHERE s.session_id = wanted;
    IF NOT FOUND THEN
        RETURN agent.not_found('session.usage', 'session', wanted);
    END IF;
    SELECT jsonb_build_object(
        'session_id', wanted,
        'model', (array_agg(u.model ORDER BY u.occurred_at DESC))[1],
        'input_tokens', coalesce(sum(u.input_tokens), 0),
        'output_tokens', coalesce(sum(u.output_tokens), 0),
        'cached_tokens', coalesce(sum(u.cached_input_tokens), 0),
        'turn_count', count(DISTINCT u.turn_id) FILTER (WHERE u.requests > 0),
        'cost_usd', trim_scale(coalesce(sum(u.cost_picodollars), 0) * 0.000000000001),
        'pricing', '{"input_per_1k": 0, "output_per_1k": 0, "cached_input_per_1k": null, "per_request": 0}'::jsonb)
    INTO report
    FROM agent.usage AS u
    WHERE u.session_id = wanted AND u.occurred_at >= born;
    RETURN agent.answer(200, report);
END
$$;
COMMENT ON FUNCTION agent.session_usage(text, jsonb) IS
    'GET /v1/sessions/{session_id}/usage: sums of the ledger. 200; 404';
REVOKE ALL ON FUNCTION agent.session_usage(text, jsonb) FROM PUBLIC;
