-- The route by which a client records a trace of its own, one that no turn of ours made.

-- A span that cannot be stored is found here: what is left can break no constraint.
CREATE FUNCTION agent.invalid_spans(spans jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (
        SELECT jsonb_agg(jsonb_set(d.error, '{loc}', jsonb_build_array('body', 'spans', d.n - 1)
            || CASE WHEN d.error #> '{loc,1}' IS NULL THEN '[]' ELSE jsonb_build_array(d.error #> '{loc,1}') END)
            ORDER BY d.n, d.error #>> '{loc,1}')
        FROM (SELECT s.n, e.error FROM (
            SELECT e.span, e.n, count(*) OVER (PARTITION BY e.span ->> 'span_id') AS namesakes
            FROM jsonb_array_elements(spans) WITH ORDINALITY AS e(span, n)) AS s
        CROSS JOIN LATERAL jsonb_array_elements(coalesce(
            agent.invalid_fields(s.span, 'span',
                '{"span_id": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,64}$", "required": true},
                  "parent_span_id": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,64}$"},
                  "name": {"type": "string", "max": 256, "required": true},
                  "start_time": {"type": "number", "min": 0, "max": 253402300799, "required": true},
                  "end_time": {"type": "number", "min": 0, "max": 253402300799},
                  "status": {"type": "string", "pattern": "^(ok|error|aborted)$"},
                  "attributes": {"type": "object"}, "events": {"type": "list"}}'),
            CASE WHEN s.namesakes > 1 THEN jsonb_build_array(
                agent.field_error('value_error', '["span", "span_id"]', s.span -> 'span_id',
                    '{"expected": "unique within the trace"}')) END,
            '[]')) AS e(error) LIMIT 100) AS d);
END
$$;
COMMENT ON FUNCTION agent.invalid_spans(jsonb) IS
    'What is wrong with the spans of a trace, as the detail of a 422 answer, at most 100 things; NULL when nothing is';
REVOKE ALL ON FUNCTION agent.invalid_spans(jsonb) FROM PUBLIC;

CREATE FUNCTION agent.invalid_trace(trace jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN coalesce(agent.invalid_fields(coalesce(trace, 'null'), 'body',
        '{"trace_id": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,64}$", "required": true},
          "started_at": {"type": "time"}, "ended_at": {"type": "time"},
          "model": {"type": "string", "max": 256},
          "status": {"type": "string", "pattern": "^(ok|error|aborted)$"},
          "spans": {"type": "list", "required": true}}' || agent.session_id_rule()),
        agent.invalid_spans(trace -> 'spans'));
END
$$;
COMMENT ON FUNCTION agent.invalid_trace(jsonb) IS
    'What is wrong with a trace that a client records, as the detail of a 422 answer; NULL when nothing is';
REVOKE ALL ON FUNCTION agent.invalid_trace(jsonb) FROM PUBLIC;

-- A count as an attribute has it: what is no number, or none that a count can be, counts nothing.
CREATE FUNCTION agent.count_in(attribute jsonb) RETURNS bigint
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN pg_catalog.jsonb_typeof(attribute) = 'number' AND attribute::text ~ '^[0-9]{1,12}$'
    THEN attribute::text::bigint ELSE 0 END;
COMMENT ON FUNCTION agent.count_in(jsonb) IS 'An attribute of a span as a count; 0 when it is none';
REVOKE ALL ON FUNCTION agent.count_in(jsonb) FROM PUBLIC;

-- Definer: the application role cannot write traces. Everything is filed under the verified tenant; a trace
-- that a turn made, or that another subject recorded, is never changed.
CREATE FUNCTION agent.record_trace(trace jsonb) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tenant CONSTANT text := tenancy.current_tenant();
    writer CONSTANT text := coalesce(tenancy.current_subject(), '');
    issuer CONSTANT text := tenancy.current_issuer();
    wanted CONSTANT text := trace ->> 'trace_id';
    entry agent.audit_log;
BEGIN
    INSERT INTO agent.traces AS t (tenant_id, trace_id, recorded_by, recorded_issuer, started_at, ended_at, model, session_id, status,
        span_count, tool_calls, prompt_tokens, completion_tokens)
    SELECT tenant, wanted, writer, issuer, coalesce(agent.parse_time(trace ->> 'started_at'), clock_timestamp()),
        agent.parse_time(trace ->> 'ended_at'), trace ->> 'model', trace ->> 'session_id', coalesce(trace ->> 'status', 'ok'),
        count(*), count(*) FILTER (WHERE s ->> 'name' LIKE 'tool:%'),
        coalesce(sum(agent.count_in(s #> '{attributes,prompt_tokens}')), 0),
        coalesce(sum(agent.count_in(s #> '{attributes,completion_tokens}')), 0)
    FROM jsonb_array_elements(trace -> 'spans') AS s
    ON CONFLICT (tenant_id, trace_id) DO UPDATE
    SET ended_at = excluded.ended_at, status = excluded.status, span_count = excluded.span_count,
        tool_calls = excluded.tool_calls, prompt_tokens = excluded.prompt_tokens,
        completion_tokens = excluded.completion_tokens
    WHERE (t.recorded_by, t.recorded_issuer) = (writer, issuer);
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM agent.spans AS s WHERE s.tenant_id = tenant AND s.trace_id = wanted;
    INSERT INTO agent.spans (tenant_id, trace_id, span_id, parent_span_id, name, start_time, end_time, status, attributes, events)
    SELECT tenant, wanted, s ->> 'span_id', s ->> 'parent_span_id', s ->> 'name',
        to_timestamp((s ->> 'start_time')::float8), to_timestamp((s ->> 'end_time')::float8), coalesce(s ->> 'status', 'ok'),
        coalesce(nullif(s -> 'attributes', 'null'), '{}'), coalesce(nullif(s -> 'events', 'null'), '[]')
    FROM jsonb_array_elements(trace -> 'spans') AS s;
    entry := agent.audit_entry(tenant, 'trace.record', 'trace', wanted);
    entry.trace_id := wanted;
    PERFORM agent.append_audit(entry);
    RETURN true;
END
$$;
COMMENT ON FUNCTION agent.record_trace(jsonb) IS
    'Internal: stores a client''s trace of the verified tenant; false when there is one of that id that it must not change';
REVOKE ALL ON FUNCTION agent.record_trace(jsonb) FROM PUBLIC;

CREATE FUNCTION agent.create_trace(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted text := body ->> 'trace_id';
    errors jsonb;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    errors := agent.invalid_trace(body);
    IF errors IS NOT NULL THEN
        RETURN agent.refuse('trace.record', 'trace', wanted, 422, 'invalid_request', errors);
    ELSIF NOT agent.record_trace(body) THEN
        RETURN agent.refuse('trace.record', 'trace', wanted, 409, 'already_exists',
            to_jsonb(format('Trace %s already exists', wanted)));
    END IF;
    RETURN agent.answer(201, jsonb_build_object('trace_id', wanted, 'saved', true));
END
$$;
COMMENT ON FUNCTION agent.create_trace(text, jsonb) IS
    'POST /v1/traces: {trace_id, spans, started_at?, ended_at?, model?, session_id?, status?}. 201 {trace_id, saved}; '
    '409 when a turn or another subject has that id; 422. The same subject may send it again, with more spans';
REVOKE ALL ON FUNCTION agent.create_trace(text, jsonb) FROM PUBLIC;
