-- The first half of a turn: check the request, make the session, hand out history and a ticket.

CREATE FUNCTION agent.invalid_messages(messages jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF jsonb_typeof(messages) IS DISTINCT FROM 'array' THEN
        RETURN jsonb_build_array(agent.field_error('list_type', '["body", "messages"]', messages, NULL));
    END IF;
    -- Most have a role and a text, and nothing else.
    IF jsonb_array_length(jsonb_path_query_array(messages, 'strict $[*] ? (@.content.type() == "string"
            && @.role.type() == "string" && (@.role == "user" || @.role == "assistant" || @.role == "system")
            && !exists(@.keyvalue() ? (@.key != "role" && @.key != "content")))')) = jsonb_array_length(messages) THEN
        RETURN NULL;
    END IF;
    RETURN (
        SELECT jsonb_agg(agent.field_error(e.kind,
            '["body", "messages"]'::jsonb || to_jsonb(e.n - 1) || e.loc,
            e.message #> ARRAY(SELECT jsonb_array_elements_text(e.loc)),
            '{"expected": "''system'', ''developer'', ''user'', ''assistant'', ''tool'' or ''function''"}') ORDER BY e.n)
        FROM (
            SELECT m.n, m.message, c.kind, c.loc
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
                SELECT 'string_type', jsonb_build_array('content', p.n - 1, 'image_url', 'detail')
                FROM jsonb_array_elements(CASE x.shape WHEN 'array' THEN x.content ELSE '[]' END)
                    WITH ORDINALITY AS p(part, n)
                WHERE jsonb_typeof(p.part #> '{image_url,detail}') NOT IN ('string', 'null')
                UNION ALL
                SELECT 'string_type', '["name"]' WHERE jsonb_typeof(m.message -> 'name') NOT IN ('string', 'null')
                UNION ALL
                SELECT v.kind, '["tool_calls"]'::jsonb || to_jsonb(t.n - 1) || v.loc
                FROM jsonb_array_elements(CASE jsonb_typeof(m.message -> 'tool_calls') WHEN 'array'
                    THEN m.message -> 'tool_calls' ELSE '[]' END) WITH ORDINALITY AS t(call, n)
                CROSS JOIN LATERAL (VALUES ('dict_type', '[]'::jsonb, 'object', t.call),
                    ('string_type', '["id"]', 'string', t.call -> 'id'), ('dict_type', '["function"]', 'object', t.call -> 'function'),
                    ('string_type', '["function", "name"]', 'string', t.call #> '{function,name}'),
                    ('string_type', '["function", "arguments"]', 'string', t.call #> '{function,arguments}')
                ) AS v(kind, loc, shape, found)
                WHERE jsonb_typeof(v.found) <> v.shape
                UNION ALL
                SELECT 'list_type', '["tool_calls"]'
                WHERE jsonb_typeof(m.message -> 'tool_calls') NOT IN ('array', 'null')
                UNION ALL
                SELECT 'string_type', '["tool_call_id"]'
                WHERE jsonb_typeof(m.message -> 'tool_call_id') NOT IN ('string', 'null')
            ) AS c(kind, loc)
            LIMIT 100 -- millions of wrong elements fit into a body
        ) AS e);
END
$$;
COMMENT ON FUNCTION agent.invalid_messages(jsonb) IS
    'What is wrong with the messages of a chat request, as the detail of a 422 answer, at most 100 things; NULL when nothing is';
REVOKE ALL ON FUNCTION agent.invalid_messages(jsonb) FROM PUBLIC;

-- Fields without a rule pass. Inside tools and the like only the model knows what is right.
CREATE FUNCTION agent.invalid_chat(body jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN coalesce(agent.invalid_fields(coalesce(body, 'null'), 'body',
        '{"messages": {"type": "list", "min": 1, "required": true},
          "model": {"type": "string", "max": 256},
          "stream": {"type": "boolean"}, "logprobs": {"type": "boolean"},
          "temperature": {"type": "number"}, "top_p": {"type": "number"},
          "frequency_penalty": {"type": "number"}, "presence_penalty": {"type": "number"},
          "repetition_penalty": {"type": "number"}, "top_k": {"type": "integer"},
          "top_logprobs": {"type": "integer"}, "n": {"type": "integer", "min": 1, "max": 128},
          "max_tokens": {"type": "integer", "min": 1, "max": 10000000},
          "max_completion_tokens": {"type": "integer", "min": 1, "max": 10000000},
          "clamp_to_budget": {"type": "boolean"}, "parallel_tool_calls": {"type": "boolean"}, "file_ids": {"type": "list"},
          "tools": {"type": "list", "items": "object", "expected": "a list of objects"},
          "tool_choice": {"type": "any", "types": ["string", "object"], "expected": "a string or an object"},
          "stop": {"type": "any", "types": ["string", "array"], "expected": "a string or a list of strings"},
          "seed": {"type": "integer"}, "logit_bias": {"type": "object"}, "response_format": {"type": "object"},
          "stream_options": {"type": "object"}, "answers_to_question_id": {"type": "string", "max": 256},
          "reasoning_effort": {"type": "string", "max": 32}}' || agent.session_id_rule()),
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

-- The trace id of the client's traceparent, unless the tenant already has one of that id.
CREATE FUNCTION agent.open_trace(turn tenancy.turn_scope) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    traceparent CONSTANT text := left(nullif(current_setting('tenancy.traceparent', true), ''), 256);
    wanted text := coalesce(agent.parent_trace_id(traceparent), agent.new_id('trace_'));
BEGIN
    LOOP
        INSERT INTO agent.traces (tenant_id, trace_id, model, session_id, traceparent, started_at)
        VALUES (turn.tenant_id, wanted, turn.model, turn.session_id, traceparent, turn.admitted_at)
        ON CONFLICT DO NOTHING;
        EXIT WHEN FOUND;
        wanted := agent.new_id('trace_');
    END LOOP;
    RETURN wanted;
END
$$;
COMMENT ON FUNCTION agent.open_trace(tenancy.turn_scope) IS 'Internal: claims a trace id for a turn';
REVOKE ALL ON FUNCTION agent.open_trace(tenancy.turn_scope) FROM PUBLIC;

-- Definer: the application role can write neither turns nor traces. Everything is filed under the
-- verified tenant and subject; the ticket ends with the tenant so that end_turn finds the turn by its key.
CREATE FUNCTION agent.open_turn(
    session_id text, model_label text, stream boolean, input jsonb, body jsonb DEFAULT '{}', history jsonb DEFAULT '[]',
    OUT turn_id text, OUT trace_id text, OUT ticket text, OUT model text, OUT max_tokens bigint,
    OUT headers jsonb, OUT refusal jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    tenant text := tenancy.current_tenant();
    turn tenancy.turn_scope;
    asked agent.turn_bounds;
    fallbacks text[] := '{}';
    admitted record;
    is_bounded boolean;
    session_born timestamptz;
BEGIN
    model := left(coalesce(nullif(current_setting('tenancy.model', true), ''), model_label), 256);
    IF octet_length(model) > 256 THEN
        model := left(model, 64); -- in bytes, what a budget of that model can be counted under
    END IF;
    IF current_setting('tenancy.fallback_models', true) <> '' THEN
        fallbacks := ARRAY(SELECT jsonb_array_elements_text(current_setting('tenancy.fallback_models')::jsonb));
    END IF;
    turn := ROW(tenant, session_id, tenancy.current_subject(), model, clock_timestamp());
    asked := agent.bounds_of(body || jsonb_build_object('messages', input), history);
    admitted := agent.admit(turn, model || fallbacks, asked);
    refusal := admitted.refusal;
    headers := admitted.headers;
    IF refusal IS NOT NULL THEN
        PERFORM tenancy.alert_refusal(turn, refusal, admitted.money);
        RETURN;
    END IF;
    max_tokens := (admitted.bounds).output_tokens;
    IF max_tokens < asked.output_tokens THEN
        headers := headers || jsonb_build_object('X-Max-Tokens-Clamped', max_tokens::text);
    END IF;
    is_bounded := EXISTS (SELECT FROM tenancy.budgets AS b WHERE b.tenant_id IN (tenant, '*'));
    ticket := tenancy.random_ticket() || '.' || tenant;
    turn_id := agent.turn_of_ticket(ticket);
    trace_id := agent.open_trace(turn);
    -- Only now: a refused request leaves no session behind.
    IF session_id IS NOT NULL THEN
        INSERT INTO agent.sessions (tenant_id, session_id, created_at)
        VALUES (tenant, session_id, turn.admitted_at) ON CONFLICT DO NOTHING;
        -- A statement of its own, so that it sees the row of whoever was first.
        SELECT s.created_at INTO session_born FROM agent.sessions AS s
        WHERE s.tenant_id = tenant AND s.session_id = turn.session_id;
    END IF;
    INSERT INTO agent.turns (
        tenant_id, turn_id, ticket_hash, subject, issuer, token_id_hash, request_id, session_id, session_created_at,
        trace_id, model, fallback_models, model_label, stream, input, instance_id, started_at, dispatched_at, deadline,
        hold_picodollars, hold_tokens, input_token_bound, rate_tokens)
    VALUES (
        tenant, turn_id, sha256(convert_to(ticket, 'UTF8')), turn.subject, tenancy.current_issuer(),
        sha256(convert_to(tenancy.current_claims() ->> 'jti', 'UTF8')),
        left(nullif(current_setting('tenancy.request_id', true), ''), 128), session_id, session_born, trace_id, model,
        nullif(fallbacks, '{}'), left(model_label, 256), coalesce(stream, false), input,
        left(nullif(current_setting('tenancy.instance_id', true), ''), 128), turn.admitted_at, turn.admitted_at,
        turn.admitted_at + make_interval(secs => current_setting('tenancy.turn_deadline')::int),
        admitted.money, (admitted.bounds).input_tokens + max_tokens * (admitted.bounds).choices,
        (admitted.bounds).input_tokens, admitted.rate_tokens);
    max_tokens := CASE WHEN is_bounded THEN max_tokens END;
END
$$;
COMMENT ON FUNCTION agent.open_turn(text, text, boolean, jsonb, jsonb, jsonb) IS
    'Open a turn of the verified tenant: take its rate, hold its money, claim a trace id, store the input, return the '
    'ticket that ends it; or nothing but the refusal';
REVOKE ALL ON FUNCTION agent.open_turn(text, text, boolean, jsonb, jsonb, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.begin_turn(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted text := body ->> 'session_id';
    errors jsonb;
    input jsonb := body -> 'messages';
    file_ids CONSTANT jsonb := coalesce(nullif(body -> 'file_ids', 'null'), '[]');
    history jsonb := '[]';
    objection text;
    shown jsonb;
    extra jsonb := '{}';
    turn record;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    errors := agent.invalid_chat(body);
    IF errors IS NOT NULL THEN
        RETURN agent.refuse('chat.complete', 'session', wanted, 422, 'invalid_request', errors, 'invalid_request');
    END IF;
    IF wanted IS NOT NULL THEN
        SELECT coalesce(jsonb_agg(m.message ORDER BY m.seq), '[]') INTO history
        FROM agent.messages AS m WHERE m.session_id = wanted;
    END IF;
    shown := history || input;
    IF body ? 'file_ids' OR EXISTS (SELECT FROM agent.image_ids(shown)) THEN
        objection := agent.file_objection(file_ids, input, history);
        IF objection IS NOT NULL THEN
            RETURN agent.refuse('chat.complete', 'session', wanted, 400, 'file_refused', to_jsonb(objection), 'invalid_request');
        END IF;
        input := agent.with_file_texts(input, file_ids);
        shown := agent.with_images(history || input);
        extra := agent.image_bound(history || input, shown);
    END IF;
    turn := agent.open_turn(wanted, body ->> 'model', (body ->> 'stream')::boolean, input,
        body - 'messages' || extra, history);
    IF turn.refusal IS NOT NULL THEN
        RETURN agent.limit_refusal(wanted, turn.refusal);
    END IF;
    RETURN ROW(200, jsonb_build_object('X-Trace-Id', turn.trace_id) || turn.headers, jsonb_build_object(
        'ticket', turn.ticket, 'turn_id', turn.turn_id, 'trace_id', turn.trace_id, 'session_id', wanted,
        'model', turn.model, 'max_tokens', turn.max_tokens,
        'messages', shown))::agent.response;
END
$$;
COMMENT ON FUNCTION agent.begin_turn(text, jsonb) IS
    'First half of POST /v1/chat/completions. 200 {ticket, turn_id, trace_id, session_id, model, max_tokens (NULL, or never ask '
    'the model for more), messages: history and the new ones, with the files that they name}; 400, 402, 403, 422, 429';
REVOKE ALL ON FUNCTION agent.begin_turn(text, jsonb) FROM PUBLIC;
