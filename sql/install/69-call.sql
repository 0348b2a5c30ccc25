-- The audit route, and the dispatcher that a server calls once per request.

CREATE FUNCTION agent.list_audit(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
    errors jsonb;
    oldest bigint;
    newest bigint;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    errors := agent.invalid_fields(body, 'query',
        '{"limit": {"type": "integer", "min": 1}, "offset": {"type": "integer", "min": 0},
          "since": {"type": "time"}, "until": {"type": "time"}, "action": {"type": "string"},
          "outcome": {"type": "string", "pattern": "^(allow|deny|error)$"}}');
    IF errors IS NOT NULL THEN
        RETURN agent.refuse('audit.list', 'audit', NULL, 422, 'invalid_request', errors);
    END IF;
    -- Ids are times: a range of time is a range of the primary key.
    oldest := coalesce(extract(epoch FROM agent.parse_time(body ->> 'since')) * 1000000, 0);
    newest := coalesce(extract(epoch FROM agent.parse_time(body ->> 'until')) * 1000000, 9223372036854775807);
    RETURN agent.answer(200, (
        SELECT coalesce(jsonb_agg(
            to_jsonb(a) - '{tenant_id,cost_picodollars,limit_picodollars,token_id_hash}'::text[]
            || jsonb_build_object(
                'token_id_hash', encode(a.token_id_hash, 'hex'),
                'cost_usd', trim_scale(a.cost_picodollars * 0.000000000001),
                'limit_usd', trim_scale(a.limit_picodollars * 0.000000000001))
            ORDER BY a.audit_id DESC), '[]')
        FROM (
            SELECT * FROM agent.audit_log AS x
            WHERE x.audit_id BETWEEN oldest AND newest
                AND (body ->> 'action' IS NULL OR x.action = body ->> 'action')
                AND (body ->> 'outcome' IS NULL OR x.outcome = body ->> 'outcome')
            ORDER BY x.audit_id DESC
            LIMIT least(coalesce((body ->> 'limit')::bigint, 50), 1000)
            OFFSET coalesce((body ->> 'offset')::bigint, 0)
        ) AS a));
END
$$;
COMMENT ON FUNCTION agent.list_audit(text, jsonb) IS
    'GET /v1/audit: {limit? 50, at most 1000; offset?, action?, outcome?, since?, until?}. 200 array, newest first; 422';
REVOKE ALL ON FUNCTION agent.list_audit(text, jsonb) FROM PUBLIC;

-- A header that names a tenant or a subject is never believed; one that contradicts the token is refused.
CREATE FUNCTION agent.header_mismatch(request jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    header text;
BEGIN
    IF request ->> 'x_tenant' <> tenancy.current_tenant() THEN
        header := 'tenant';
    ELSIF request ->> 'x_auth_subject' IS DISTINCT FROM tenancy.current_subject()
        AND request ->> 'x_auth_subject' IS NOT NULL THEN
        header := 'subject';
    ELSE
        RETURN NULL;
    END IF;
    RETURN agent.refuse('auth.reject', 'header', header, 403, 'tenant_mismatch',
        to_jsonb(format('The %s named by the request is not the token''s', header)), 'tenant_mismatch');
END
$$;
COMMENT ON FUNCTION agent.header_mismatch(jsonb) IS
    'Refusal 403 tenant_mismatch when x_tenant or x_auth_subject differ from the token, else NULL';
REVOKE ALL ON FUNCTION agent.header_mismatch(jsonb) FROM PUBLIC;

CREATE FUNCTION agent.dispatch(route text, token text, body jsonb, content bytea DEFAULT NULL) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    CASE route
        WHEN 'begin_turn' THEN RETURN agent.begin_turn(token, body);
        WHEN 'get_session' THEN RETURN agent.get_session(token, body);
        WHEN 'create_session' THEN RETURN agent.create_session(token, body);
        WHEN 'delete_session' THEN RETURN agent.delete_session(token, body);
        WHEN 'session_usage' THEN RETURN agent.session_usage(token, body);
        WHEN 'fork_session' THEN RETURN agent.fork_session(token, body);
        WHEN 'revert_session' THEN RETURN agent.revert_session(token, body);
        WHEN 'put_session' THEN RETURN agent.put_session(token, body);
        WHEN 'patch_session' THEN RETURN agent.patch_session(token, body);
        WHEN 'session_cost_data' THEN RETURN agent.session_cost_data(token, body);
        WHEN 'create_trace' THEN RETURN agent.create_trace(token, body);
        WHEN 'list_traces' THEN RETURN agent.list_traces(token, body);
        WHEN 'get_trace' THEN RETURN agent.get_trace(token, body);
        WHEN 'create_feedback' THEN RETURN agent.create_feedback(token, body);
        WHEN 'get_feedback' THEN RETURN agent.get_feedback(token, body);
        WHEN 'update_feedback' THEN RETURN agent.update_feedback(token, body);
        WHEN 'list_feedback' THEN RETURN agent.list_feedback(token, body);
        WHEN 'feedback_stats' THEN RETURN agent.feedback_stats(token, body);
        WHEN 'list_audit' THEN RETURN agent.list_audit(token, body);
        WHEN 'get_budget' THEN RETURN agent.get_budget(token, body);
        WHEN 'get_usage' THEN RETURN agent.get_usage(token, body);
        WHEN 'agent_trust' THEN RETURN agent.not_enabled(token, 'Trust');
        WHEN 'agent_skills' THEN RETURN agent.not_enabled(token, 'Skills');
        WHEN 'agent_capabilities' THEN RETURN agent.not_enabled(token, 'Capabilities');
        WHEN 'agent_maturation' THEN RETURN agent.not_enabled(token, 'Maturation');
        WHEN 'create_file' THEN RETURN agent.create_file(token, body, content);
        WHEN 'list_files' THEN RETURN agent.list_files(token, body);
        WHEN 'get_file' THEN RETURN agent.get_file(token, body);
        WHEN 'delete_file' THEN RETURN agent.delete_file(token, body);
        WHEN 'create_work_item' THEN RETURN agent.create_work_item(token, body);
        WHEN 'list_work_items' THEN RETURN agent.list_work_items(token, body);
        WHEN 'work_item_stats' THEN RETURN agent.work_item_stats(token, body);
        WHEN 'get_work_item' THEN RETURN agent.get_work_item(token, body);
        WHEN 'checkout_work_item' THEN RETURN agent.checkout_work_item(token, body);
        WHEN 'complete_work_item' THEN RETURN agent.complete_work_item(token, body);
        WHEN 'release_work_item' THEN RETURN agent.release_work_item(token, body);
        WHEN 'accept_work_item' THEN RETURN agent.accept_work_item(token, body);
        WHEN 'reject_work_item' THEN RETURN agent.reject_work_item(token, body);
        WHEN 'delete_work_item' THEN RETURN agent.delete_work_item(token, body);
        ELSE
            PERFORM tenancy.set_tenant_from_jwt(token);
            RETURN agent.refuse('route.unknown', 'route', route, 404, 'not_found', '"Not Found"');
    END CASE;
END
$$;
COMMENT ON FUNCTION agent.dispatch(text, text, jsonb, bytea) IS 'Call a route by its name; an unknown name is 404. content is what an upload brings';
REVOKE ALL ON FUNCTION agent.dispatch(text, text, jsonb, bytea) FROM PUBLIC;

-- The settings refuse long and unprintable values with an exception; a client's header must not cause one.
CREATE FUNCTION agent.header_text(header text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_catalog.left(pg_catalog.regexp_replace(header COLLATE "C", '[^ -~]', '', 'g'), 256);
COMMENT ON FUNCTION agent.header_text(text) IS 'The printable ASCII characters of a header value, at most 256';
REVOKE ALL ON FUNCTION agent.header_text(text) FROM PUBLIC;

CREATE FUNCTION agent.call(route text, token text, body jsonb, request jsonb, content bytea DEFAULT NULL) RETURNS agent.call_response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    response agent.response;
    rate jsonb;
    counted boolean := false;
BEGIN
    PERFORM set_config('tenancy.request_id', agent.header_text(request ->> 'request_id'), true),
        set_config('tenancy.traceparent', agent.header_text(request ->> 'traceparent'), true),
        set_config('tenancy.model', agent.header_text(request ->> 'model'), true),
        set_config('tenancy.fallback_models', coalesce(request ->> 'fallback_models', ''), true),
        set_config('tenancy.instance_id', agent.header_text(request ->> 'instance_id'), true);
    PERFORM tenancy.set_tenant_from_jwt(token);
    IF request ?| '{x_tenant,x_auth_subject}' THEN
        response := agent.header_mismatch(request);
    END IF;
    IF response.status IS NULL AND request ? 'shared_rate' THEN
        response := agent.shared_refusal(body ->> 'session_id', request -> 'shared_rate');
    END IF;
    IF response.status IS NULL AND route <> 'begin_turn' THEN -- which takes the rate together with the budget
        rate := to_jsonb(tenancy.decide_request(1));
        IF rate -> 'allowed' = 'false' THEN
            response := agent.limit_refusal(body ->> 'session_id',
                rate || '{"code": "rate_limit_exceeded", "scope": "requests"}');
        END IF;
    END IF;
    IF response.status IS NULL THEN
        response := agent.dispatch(route, token, body, content);
        IF rate IS NOT NULL THEN
            response.headers := agent.rate_headers('requests', rate) || response.headers;
        END IF;
        counted := route <> 'begin_turn' OR response.status = 200;
        IF counted AND request ? 'shared_rate' THEN
            response.headers := agent.tighter_headers(response.headers, request -> 'shared_rate');
        END IF;
    END IF;
    RETURN ROW(response.status, response.headers, response.body,
        tenancy.current_tenant(), tenancy.current_subject(), counted)::agent.call_response;
END
$$;
COMMENT ON FUNCTION agent.call(text, text, jsonb, jsonb, bytea) IS
    'Serve one HTTP request: route name, bearer token, body (path and query values are members of it), and '
    'request = {request_id, x_tenant, x_auth_subject, traceparent, model, fallback_models, instance_id, shared_rate: as agent.shared_refusal '
    'has it}, all optional; and the bytes of an upload. '
    'Raises PT401, PT403 for the token';
REVOKE ALL ON FUNCTION agent.call(text, text, jsonb, jsonb, bytea) FROM PUBLIC;
