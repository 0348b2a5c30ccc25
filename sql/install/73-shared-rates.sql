-- The tenant's rates for a limiter that several primaries share. What there is to take is decided here, and
-- so is the answer when it refuses; only the counting is elsewhere. It comes on top of the counting in
-- this database, never instead: who leaves it out has gained nothing.

-- Definer: the application role cannot read the table, and sees of it what binds the verified tenant.
CREATE FUNCTION tenancy.current_rate_limits() RETURNS tenancy.rate_limits
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT r.* FROM tenancy.rate_limits AS r
    WHERE r.tenant_id IN (tenancy.current_tenant(), '*')
    ORDER BY r.tenant_id = '*' LIMIT 1;
END;
COMMENT ON FUNCTION tenancy.current_rate_limits() IS
    'The row of tenancy.rate_limits that binds the verified tenant: its own, or the default of all; NULL when there is none';
REVOKE ALL ON FUNCTION tenancy.current_rate_limits() FROM PUBLIC;

CREATE FUNCTION agent.shared_rate(route text, token text, body jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    limits tenancy.rate_limits;
    tokens bigint;
    wanted jsonb;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    limits := tenancy.current_rate_limits();
    IF route = 'begin_turn' AND limits.tokens_per_minute IS NOT NULL AND agent.invalid_chat(body) IS NULL THEN
        SELECT agent.rate_estimate(agent.bounds_of(body, coalesce(jsonb_agg(m.message ORDER BY m.seq), '[]')))
        INTO tokens FROM agent.messages AS m WHERE m.session_id = body ->> 'session_id';
    END IF;
    IF limits.requests_per_minute IS NOT NULL OR tokens IS NOT NULL THEN
        wanted := jsonb_strip_nulls(jsonb_build_object(
            'tenant_id', tenancy.current_tenant(),
            'requests', CASE WHEN limits.requests_per_minute IS NOT NULL THEN jsonb_build_object(
                'per_minute', limits.requests_per_minute, 'burst', limits.burst, 'cost', 1) END,
            'tokens', CASE WHEN tokens IS NOT NULL THEN jsonb_build_object(
                'per_minute', limits.tokens_per_minute, 'burst', limits.tokens_per_minute, 'cost', tokens) END));
    END IF;
    -- Undoes the use of a token that counts once: agent.call() is still to come.
    RAISE EXCEPTION 'what there is to take is known' USING ERRCODE = 'TN001';
EXCEPTION WHEN SQLSTATE 'TN001' THEN
    RETURN wanted;
END
$$;
COMMENT ON FUNCTION agent.shared_rate(text, text, jsonb) IS
    'What a request must take from a shared limiter before agent.call: {tenant_id, requests: {per_minute, burst, cost}, '
    'tokens: the same}, each when there is such a limit; NULL = nothing. Takes nothing itself, nor uses a token that counts once. Raises PT401, PT403 for the token';
REVOKE ALL ON FUNCTION agent.shared_rate(text, text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.shared_refusal(wanted_session text, shared jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unit text;
BEGIN
    FOREACH unit IN ARRAY '{requests,tokens}'::text[] LOOP
        IF shared #> ARRAY[unit, 'allowed'] = 'false' THEN
            RETURN agent.limit_refusal(wanted_session,
                (shared -> unit) || jsonb_build_object('code', 'rate_limit_exceeded', 'scope', unit, 'per', 'tenant'));
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION agent.shared_refusal(text, jsonb) IS
    'The answer to what a shared limiter refused, put on record; NULL when it refused nothing. '
    'shared = {requests: {allowed, limit, remaining, retry_after_ms, reset_after_ms}, tokens: the same}';
REVOKE ALL ON FUNCTION agent.shared_refusal(text, jsonb) FROM PUBLIC;

-- A client must not be told of more than it can have. RateLimit speaks of requests where they have a limit.
CREATE FUNCTION agent.tighter_headers(headers jsonb, shared jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unit text;
    tighter jsonb;
BEGIN
    FOREACH unit IN ARRAY '{tokens,requests}'::text[] LOOP
        CONTINUE WHEN (shared #>> ARRAY[unit, 'remaining'])::bigint >= (headers ->> ('x-ratelimit-remaining-' || unit))::bigint;
        tighter := agent.rate_headers(unit, shared -> unit);
        IF unit = 'tokens' AND headers ? 'x-ratelimit-limit-requests' THEN
            tighter := tighter - '{RateLimit,RateLimit-Policy}'::text[];
        END IF;
        headers := headers || coalesce(tighter, '{}');
    END LOOP;
    RETURN headers;
END
$$;
COMMENT ON FUNCTION agent.tighter_headers(jsonb, jsonb) IS
    'Headers of an answer in which a shared limiter''s figures replace this database''s where less is left there';
REVOKE ALL ON FUNCTION agent.tighter_headers(jsonb, jsonb) FROM PUBLIC;
