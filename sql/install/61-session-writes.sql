-- Routes by which a client keeps its own sessions: the whole history at once, and labels.

-- Definer: the application role cannot write messages. Everything is filed under the verified tenant.
-- A turn that runs meanwhile appends to the new history when it ends, for both take the session row's lock.
CREATE FUNCTION agent.replace_messages(target text, history jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tenant CONSTANT text := tenancy.current_tenant();
    entry agent.audit_log;
BEGIN
    INSERT INTO agent.sessions (tenant_id, session_id, next_seq)
    VALUES (tenant, target, jsonb_array_length(history))
    ON CONFLICT (tenant_id, session_id) DO UPDATE
    SET next_seq = excluded.next_seq, updated_at = clock_timestamp();
    DELETE FROM agent.messages AS m WHERE m.tenant_id = tenant AND m.session_id = target;
    INSERT INTO agent.messages (tenant_id, session_id, seq, message)
    SELECT tenant, target, h.n - 1, h.message
    FROM jsonb_array_elements(history) WITH ORDINALITY AS h(message, n);
    entry := agent.audit_entry(tenant, 'session.replace', 'session', target);
    entry.session_id := target;
    PERFORM agent.append_audit(entry);
END
$$;
COMMENT ON FUNCTION agent.replace_messages(text, jsonb) IS
    'Internal: make a session of the verified tenant hold exactly these messages; the session is made when it is not there';
REVOKE ALL ON FUNCTION agent.replace_messages(text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.put_session(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted text := body ->> 'session_id';
    errors jsonb;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    errors := coalesce(
        agent.invalid_fields(body, 'path', jsonb_set(agent.session_id_rule(), '{session_id,required}', 'true')),
        agent.invalid_fields(body, 'body', '{"messages": {"type": "list", "required": true}}'),
        agent.invalid_messages(body -> 'messages'));
    IF errors IS NOT NULL THEN
        RETURN agent.refuse('session.replace', 'session', wanted, 422, 'invalid_request', errors);
    END IF;
    PERFORM agent.replace_messages(wanted, body -> 'messages');
    RETURN agent.answer(200, jsonb_build_object('session_id', wanted, 'saved', true));
END
$$;
COMMENT ON FUNCTION agent.put_session(text, jsonb) IS
    'PUT /v1/sessions/{session_id}: {messages}, which replace what the session holds; it is made when it is not there. '
    '200 {session_id, saved}; 422. What was used stays charged';
REVOKE ALL ON FUNCTION agent.put_session(text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.patch_session(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted text := body ->> 'session_id';
    fresh CONSTANT jsonb := nullif(body -> 'cost_data', 'null');
    errors jsonb;
    merged jsonb;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    errors := agent.invalid_fields(body, 'body', '{"cost_data": {"type": "object"}}');
    IF errors IS NOT NULL THEN
        RETURN agent.refuse('session.update', 'session', wanted, 422, 'invalid_request', errors);
    END IF;
    SELECT s.cost_data || coalesce(fresh, '{}') INTO merged
    FROM agent.sessions AS s WHERE s.session_id = wanted FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN agent.not_found('session.update', 'session', wanted);
    ELSIF octet_length(merged::text) > 16384 THEN
        RETURN agent.refuse('session.update', 'session', wanted, 422, 'invalid_request', jsonb_build_array(
            agent.field_error('too_long', '["body", "cost_data"]', fresh, '{"expected": "at most 16384 bytes when merged"}')));
    ELSIF fresh IS NOT NULL THEN
        UPDATE agent.sessions AS s SET cost_data = merged WHERE s.session_id = wanted;
    END IF;
    RETURN agent.get_session(token, body);
END
$$;
COMMENT ON FUNCTION agent.patch_session(text, jsonb) IS
    'PATCH /v1/sessions/{session_id}: {cost_data?}, whose members replace those of the same name; NULL changes nothing. '
    '200 {session_id, messages}; 404; 422. Labels: nothing is charged or limited by them';
REVOKE ALL ON FUNCTION agent.patch_session(text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.session_cost_data(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted text := body ->> 'session_id';
    labels jsonb;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    SELECT s.cost_data INTO labels FROM agent.sessions AS s WHERE s.session_id = wanted;
    IF NOT FOUND THEN
        RETURN agent.not_found('session.read', 'session', wanted);
    END IF;
    RETURN agent.answer(200, jsonb_build_object('session_id', wanted, 'cost_data', labels));
END
$$;
COMMENT ON FUNCTION agent.session_cost_data(text, jsonb) IS
    'GET /v1/sessions/{session_id}/cost_data: the client''s own labels. 200 {session_id, cost_data}; 404';
REVOKE ALL ON FUNCTION agent.session_cost_data(text, jsonb) FROM PUBLIC;
