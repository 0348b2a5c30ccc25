-- Routes that copy or shorten a conversation. The work is done by the triggers of piece 57.

CREATE FUNCTION agent.fork_session(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    parent text := body ->> 'session_id';
    child text := agent.new_id('sess_');
    errors jsonb;
    length bigint;
    kept bigint;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    errors := agent.invalid_fields(body, 'body', '{"from_message_index": {"type": "integer"}}');
    IF errors IS NOT NULL THEN
        RETURN agent.refuse('session.fork', 'session', parent, 422, 'invalid_request', errors);
    END IF;
    SELECT s.next_seq INTO length FROM agent.sessions AS s WHERE s.session_id = parent FOR SHARE;
    IF NOT FOUND THEN
        RETURN agent.not_found('session.fork', 'session', parent);
    END IF;
    kept := coalesce((body ->> 'from_message_index')::bigint, length);
    IF kept NOT BETWEEN 0 AND length THEN
        RETURN agent.refuse('session.fork', 'session', parent, 400, 'out_of_range', to_jsonb(format(
            'from_message_index %s out of range (session has %s messages)', kept, length)));
    END IF;
    INSERT INTO agent.sessions (session_id, parent_session_id, forked_at_index)
    VALUES (child, parent, kept);
    RETURN agent.answer(201, jsonb_build_object(
        'session_id', child, 'parent_session_id', parent, 'message_count', kept));
END
$$;
COMMENT ON FUNCTION agent.fork_session(text, jsonb) IS
    'POST /v1/sessions/{session_id}/fork: {from_message_index?}. '
    '201 {session_id, parent_session_id, message_count}; 400; 404; 422';
REVOKE ALL ON FUNCTION agent.fork_session(text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.revert_session(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted text := body ->> 'session_id';
    errors jsonb;
    length bigint;
    kept bigint;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    errors := agent.invalid_fields(body, 'body',
        '{"to_message_index": {"type": "integer", "required": true, "min": 0}}');
    IF errors IS NOT NULL THEN
        RETURN agent.refuse('session.revert', 'session', wanted, 422, 'invalid_request', errors);
    END IF;
    SELECT s.next_seq INTO length FROM agent.sessions AS s WHERE s.session_id = wanted FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN agent.not_found('session.revert', 'session', wanted);
    END IF;
    kept := (body ->> 'to_message_index')::bigint;
    IF kept > length THEN
        RETURN agent.refuse('session.revert', 'session', wanted, 400, 'out_of_range', to_jsonb(format(
            'to_message_index %s out of range (session has %s messages)', kept, length)));
    END IF;
    UPDATE agent.sessions AS s SET reverted_to = kept WHERE s.session_id = wanted;
    RETURN agent.answer(204, NULL);
END
$$;
COMMENT ON FUNCTION agent.revert_session(text, jsonb) IS
    'POST /v1/sessions/{session_id}/revert: {to_message_index}. '
    '204 without a body; 400; 404; 422. What was used stays charged';
REVOKE ALL ON FUNCTION agent.revert_session(text, jsonb) FROM PUBLIC;
