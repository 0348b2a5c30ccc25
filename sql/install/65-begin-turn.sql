-- The first half of a turn: check the request, make the session, hand out history and a ticket.

CREATE FUNCTION agent.invalid_messages(messages jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (
        SELECT jsonb_agg(agent.field_error(c.kind,
            '["body", "messages"]'::jsonb || to_jsonb(m.n - 1) || c.loc,
            m.message #> ARRAY(SELECT jsonb_array_elements_text(c.loc)),
            '{"expected": "''system'', ''developer'', ''user'', ''assistant'', ''tool'' or ''function''"}') ORDER BY m.n)
        FROM jsonb_array_elements(messages) WITH ORDINALITY AS m(message, n)
        CROSS JOIN LATERAL (SELECT m.message -> 'content', jsonb_typeof(m.message -> 'content')) AS x(content, shape)
        CROSS JOIN LATERAL (
            SELECT 'dict_type', '[]'::jsonb WHERE jsonb_typeof(m.message) <> 'object'
            UNION ALL
            SELECT CASE WHEN m.message -> 'role' IS NULL THEN 'missing' ELSE 'literal_error' END, '["role"]'
            WHERE jsonb_typeof(m.message) = 'object' AND (m.message ->> 'role' IS NULL OR m.message ->> 'role'
                NOT IN ('system', 'developer', 'user', 'assistant', 'tool', 'function'))
            UNION ALL
            SELECT 'string_type', '["content"]' WHERE x.shape NOT IN ('string', 'null', 'array')
            UNION ALL
            SELECT 'dict_type', jsonb_build_array('content', p.n - 1)
            FROM jsonb_array_elements(CASE x.shape WHEN 'array' THEN x.content ELSE '[]' END)
                WITH ORDINALITY AS p(part, n)
            WHERE jsonb_typeof(p.part -> 'type') IS DISTINCT FROM 'string'
                OR (p.part ->> 'type' = 'text' AND jsonb_typeof(p.part -> 'text') IS DISTINCT FROM 'string')
                OR (p.part ->> 'type' = 'image_url'
                    AND jsonb_typeof(p.part #> '{image_url,url}') IS DISTINCT FROM 'string')
            UNION ALL
            SELECT 'list_type', '["tool_calls"]'
            WHERE jsonb_typeof(m.message -> 'tool_calls') NOT IN ('array', 'null')
            UNION ALL
            SELECT 'string_type', '["tool_call_id"]'
            WHERE jsonb_typeof(m.message -> 'tool_call_id') NOT IN ('string', 'null')
        ) AS c(kind, loc));
END
$$;
COMMENT ON FUNCTION agent.invalid_messages(jsonb) IS
    'What is wrong with the messages of a chat request, as the detail of a 422 answer; NULL when nothing is';
REVOKE ALL ON FUNCTION agent.invalid_messages(jsonb) FROM PUBLIC;

-- Fields that only the model understands (tools, response_format ...) have no rule and pass.
CREATE FUNCTION agent.invalid_chat(body jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN coalesce(agent.invalid_fields(coalesce(body, 'null'), 'body',
        '{"messages": {"type": "list", "min": 1, "required": true},
          "model": {"type": "string", "max": 256},
          "session_id": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,128}$"},
          "stream": {"type": "boolean"}, "logprobs": {"type": "boolean"},
          "temperature": {"type": "number"}, "top_p": {"type": "number"},
          "frequency_penalty": {"type": "number"}, "presence_penalty": {"type": "number"},
          "repetition_penalty": {"type": "number"}, "top_k": {"type": "integer"},
          "top_logprobs": {"type": "integer"}, "n": {"type": "integer", "min": 1},
          "max_tokens": {"type": "integer", "min": 1}, "max_completion_tokens": {"type": "integer", "min": 1},
          "reasoning_effort": {"type": "string", "max": 32}}'),
        agent.invalid_messages(body -> 'messages'));
END
$$;
COMMENT ON FUNCTION agent.invalid_chat(jsonb) IS
    'What is wrong with a chat request, as the detail of a 422 answer; NULL when nothing is';
REVOKE ALL ON FUNCTION agent.invalid_chat(jsonb) FROM PUBLIC;

CREATE FUNCTION agent.parent_trace_id(traceparent text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT
BEGIN ATOMIC
    SELECT pg_catalog.substr(traceparent, 4, 32)
    WHERE traceparent ~ '^(00|(?!00|ff)[0-9a-f]{2}(?=.{53}(-|$)))-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}'
        AND (pg_catalog.char_length(traceparent) = 55 OR traceparent !~ '^00');
END;
COMMENT ON FUNCTION agent.parent_trace_id(text) IS
    'Trace id of a W3C traceparent header (Trace Context section 3.2); NULL when the header is not valid';
REVOKE ALL ON FUNCTION agent.parent_trace_id(text) FROM PUBLIC;

-- Definer: the application role can write neither turns nor traces. Everything is filed under the
-- verified tenant and subject; the ticket ends with the tenant so that end_turn finds the turn by
-- an index that starts with it.
CREATE FUNCTION agent.open_turn(
    session_id text, model_label text, stream boolean, input jsonb,
    OUT turn_id text, OUT trace_id text, OUT ticket text, OUT model text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    tenant text := tenancy.current_tenant();
    traceparent text := left(nullif(current_setting('tenancy.traceparent', true), ''), 256);
BEGIN
    turn_id := agent.new_id('turn_');
    ticket := tenancy.random_ticket() || '.' || tenant;
    model := left(nullif(current_setting('tenancy.model', true), ''), 256);
    trace_id := coalesce(agent.parent_trace_id(traceparent), agent.new_id('trace_'));
    LOOP
        INSERT INTO agent.traces (tenant_id, trace_id, model, session_id, traceparent)
        VALUES (tenant, trace_id, coalesce(model, model_label), session_id, traceparent)
        ON CONFLICT DO NOTHING;
        EXIT WHEN FOUND;
        trace_id := agent.new_id('trace_');
    END LOOP;
    INSERT INTO agent.turns (
        tenant_id, turn_id, ticket_hash, subject, issuer, token_id_hash, request_id,
        session_id, trace_id, model, model_label, stream, input, instance_id)
    VALUES (
        tenant, turn_id, sha256(convert_to(ticket, 'UTF8')), tenancy.current_subject(), tenancy.current_issuer(),
        sha256(convert_to(tenancy.current_claims() ->> 'jti', 'UTF8')),
        left(nullif(current_setting('tenancy.request_id', true), ''), 128),
        session_id, trace_id, model, left(model_label, 256), coalesce(stream, false), input,
        left(nullif(current_setting('tenancy.instance_id', true), ''), 128));
END
$$;
COMMENT ON FUNCTION agent.open_turn(text, text, boolean, jsonb) IS
    'Open a turn of the verified tenant: claim a trace id, store the input, return the ticket that ends it';
REVOKE ALL ON FUNCTION agent.open_turn(text, text, boolean, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.begin_turn(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted text := body ->> 'session_id';
    errors jsonb;
    history jsonb := '[]';
    turn record;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    errors := agent.invalid_chat(body);
    IF errors IS NOT NULL THEN
        RETURN agent.refuse('chat.complete', 'session', wanted, 422, 'invalid_request', errors, 'invalid_request');
    END IF;
    IF wanted IS NOT NULL THEN
        INSERT INTO agent.sessions (session_id) VALUES (wanted) ON CONFLICT DO NOTHING;
        SELECT coalesce(jsonb_agg(m.message ORDER BY m.seq), '[]') INTO history
        FROM agent.messages AS m WHERE m.session_id = wanted;
    END IF;
    turn := agent.open_turn(wanted, body ->> 'model', (body ->> 'stream')::boolean, body -> 'messages');
    RETURN ROW(200, jsonb_build_object('X-Trace-Id', turn.trace_id), jsonb_build_object(
        'ticket', turn.ticket, 'turn_id', turn.turn_id, 'trace_id', turn.trace_id, 'session_id', wanted,
        'model', coalesce(turn.model, body ->> 'model'),
        'messages', history || (body -> 'messages')))::agent.response;
END
$$;
COMMENT ON FUNCTION agent.begin_turn(text, jsonb) IS
    'First half of POST /v1/chat/completions. '
    '200 {ticket, turn_id, trace_id, session_id, model, messages: history and the new ones}; 422';
REVOKE ALL ON FUNCTION agent.begin_turn(text, jsonb) FROM PUBLIC;
