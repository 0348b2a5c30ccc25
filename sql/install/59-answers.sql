-- How a route answers and refuses.

CREATE FUNCTION agent.answer(status integer, body jsonb) RETURNS agent.response
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT ROW(status, '{}'::jsonb, body)::agent.response;
END;
COMMENT ON FUNCTION agent.answer(integer, jsonb) IS 'An answer without extra headers';
REVOKE ALL ON FUNCTION agent.answer(integer, jsonb) FROM PUBLIC;

-- A refusal is a result: an exception would roll its audit row back.
CREATE FUNCTION agent.refuse(
    action text, resource_type text, resource_id text, status integer, reason text, detail jsonb,
    code text DEFAULT NULL)
RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    refusal jsonb := jsonb_build_object('detail', detail);
BEGIN
    PERFORM agent.record_refusal(action, resource_type, resource_id, status, reason);
    IF code IS NOT NULL THEN
        refusal := refusal || jsonb_build_object('error', jsonb_build_object(
            'message', coalesce(detail #>> '{0,msg}', detail #>> '{}'),
            'type', CASE status WHEN 403 THEN 'permission_error' ELSE 'invalid_request_error' END,
            'param', detail #>> '{0,loc,1}',
            'code', code));
    END IF;
    RETURN agent.answer(status, refusal);
END
$$;
COMMENT ON FUNCTION agent.refuse(text, text, text, integer, text, jsonb, text) IS
    'Refuse and put it on record. The body is {"detail"}, with a code also {"error": {message, type, param, code}}';
REVOKE ALL ON FUNCTION agent.refuse(text, text, text, integer, text, jsonb, text) FROM PUBLIC;

CREATE FUNCTION agent.not_found(action text, resource_type text, resource_id text) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN agent.refuse(action, resource_type, resource_id, 404, 'not_found',
        to_jsonb(format('%s %s not found', initcap(resource_type), resource_id)));
END
$$;
COMMENT ON FUNCTION agent.not_found(text, text, text) IS
    'The one answer to an id that does not exist or belongs to another tenant';
REVOKE ALL ON FUNCTION agent.not_found(text, text, text) FROM PUBLIC;

-- What only an agent with a life of its own has; these routes answer {"error"} where others say "detail".
CREATE FUNCTION agent.not_enabled(token text, feature text) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    PERFORM agent.record_refusal('agent.read', 'agent', lower(feature), 404, 'not_enabled');
    RETURN agent.answer(404, jsonb_build_object('error', feature || ' not enabled'));
END
$$;
COMMENT ON FUNCTION agent.not_enabled(text, text) IS
    'GET /v1/agent/trust, skills, capabilities, maturation: 404 {"error": "Trust not enabled"} for a good token';
REVOKE ALL ON FUNCTION agent.not_enabled(text, text) FROM PUBLIC;
