-- What budgets and usage look like: to the tenant, to administrators, and the proof of the counters.

CREATE FUNCTION tenancy.verify_counters(OUT tenant_id text, OUT budget_id bigint, OUT scope_value text,
        OUT window_start timestamptz, OUT counter_picodollars bigint, OUT ledger_picodollars bigint,
        OUT counter_tokens bigint, OUT ledger_tokens bigint, OUT ok boolean)
    RETURNS SETOF record
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    s record;
    r record;
    b tenancy.budgets;
BEGIN
    FOR s IN SELECT DISTINCT x.tenant_id COLLATE "C" AS tenant_id FROM tenancy.slots() x ORDER BY 1 LOOP
        PERFORM tenancy.lock_ledger(s.tenant_id, true); -- nobody is between rows and counter
        FOR r IN SELECT x.* FROM tenancy.slots() x WHERE x.tenant_id = s.tenant_id ORDER BY x.budget_id LOOP
            SELECT * INTO b FROM tenancy.budgets y WHERE y.budget_id = r.budget_id;
            CONTINUE WHEN NOT FOUND AND r.budget_id <> 0; -- of a budget that was removed: never asked again
            SELECT r.tenant_id, r.budget_id, r.scope_value, r.window_start, r.used_money, c.used_money,
                   r.used_tokens, c.used_tokens,
                   (r.used_money, r.used_tokens, r.spent_money, r.spent_tokens)
                       = (c.used_money, c.used_tokens, c.spent_money, c.spent_tokens)
            INTO tenant_id, budget_id, scope_value, window_start, counter_picodollars,
                 ledger_picodollars, counter_tokens, ledger_tokens, ok
            FROM tenancy.count_rows(r.tenant_id, coalesce(b.scope, 'turns'), r.scope_value, r.window_start,
                CASE WHEN b.period IN ('hour', 'day', 'month')
                     THEN tenancy.window_end(b.period, r.window_start, b.time_zone) ELSE 'infinity' END) c;
            RETURN NEXT;
        END LOOP;
        PERFORM tenancy.unlock_exclusive_ledger(s.tenant_id); -- or the first would wait for the last
    END LOOP;
END
$$;
COMMENT ON FUNCTION tenancy.verify_counters() IS
    'Compares every counter in memory with the rows it stands for, under the exclusive ledger lock of each tenant in turn; ok says whether they are equal';
REVOKE ALL ON FUNCTION tenancy.verify_counters() FROM PUBLIC;

CREATE FUNCTION tenancy.usage_report("from" timestamptz, "to" timestamptz, bucket text DEFAULT 'day',
        OUT tenant_id text, OUT bucket_start timestamptz, OUT model text, OUT requests bigint,
        OUT input_tokens numeric, OUT output_tokens numeric, OUT cost_usd numeric,
        OUT overrun_usd numeric, OUT late_usd numeric)
    RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT u.tenant_id, date_trunc(bucket, u.admitted_at, 'UTC'), u.model, sum(u.requests),
        sum(u.input_tokens), sum(u.output_tokens), trim_scale(sum(u.cost_picodollars) * 0.000000000001),
        trim_scale(coalesce(sum(u.cost_picodollars) FILTER (WHERE u.overrun), 0) * 0.000000000001),
        trim_scale(coalesce(sum(u.cost_picodollars) FILTER (WHERE u.late), 0) * 0.000000000001)
    FROM agent.usage u WHERE u.admitted_at >= "from" AND u.admitted_at < "to"
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
END;
COMMENT ON FUNCTION tenancy.usage_report(timestamptz, timestamptz, text) IS
    'Usage and cost per tenant, model and bucket (hour, day, week, month; UTC), by the time of admission; for administrators';
REVOKE ALL ON FUNCTION tenancy.usage_report(timestamptz, timestamptz, text) FROM PUBLIC;

CREATE FUNCTION agent.open_holds(OUT turns bigint, OUT picodollars numeric, OUT tokens numeric)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT count(*), coalesce(sum(t.hold_picodollars), 0), coalesce(sum(t.hold_tokens), 0)
    FROM agent.turns AS t WHERE t.status = 'open';
END;
COMMENT ON FUNCTION agent.open_holds() IS 'How many turns of all tenants are open, and what they hold; for a maintenance role';
REVOKE ALL ON FUNCTION agent.open_holds() FROM PUBLIC;

-- Definer: counts the rows of one tenant, the verified one.
CREATE FUNCTION agent.budget_rows() RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    turn tenancy.turn_scope := ROW(tenancy.current_tenant(), NULL, tenancy.current_subject(), NULL, clock_timestamp());
BEGIN
    RETURN (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
            'scope', c.scope, 'identifier', nullif(c.scope_value, ''), 'window', c.period,
            'mode', CASE WHEN c.enforced THEN 'enforce' ELSE 'observe' END,
            'limit_usd', CASE WHEN c.money_limit >= 0 THEN agent.usd(c.money_limit) END,
            'spent_usd', agent.usd(r.spent_money), 'held_usd', agent.usd(r.used_money - r.spent_money),
            'limit_tokens', CASE WHEN c.tokens_limit >= 0 THEN c.tokens_limit END,
            'spent_tokens', r.spent_tokens, 'held_tokens', r.used_tokens - r.spent_tokens,
            'warn_ratio', c.warn_ratio,
            'starts_at', CASE WHEN c.period <> 'total' THEN c.window_start END,
            'resets_at', CASE WHEN c.period <> 'total' THEN c.window_end END)) ORDER BY c.budget_id), '[]')
        FROM tenancy.counters_of(turn) c,
             tenancy.count_rows(turn.tenant_id, c.scope, c.scope_value, c.window_start, c.window_end) r
        WHERE c.in_force AND c.scope IN ('tenant', 'subject'));
END
$$;
COMMENT ON FUNCTION agent.budget_rows() IS 'Budgets of the verified tenant and subject with what is spent and held';
REVOKE ALL ON FUNCTION agent.budget_rows() FROM PUBLIC;

CREATE FUNCTION agent.get_budget(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    RETURN agent.answer(200, jsonb_build_object('tenant_id', tenancy.current_tenant(), 'budgets', agent.budget_rows()));
END
$$;
COMMENT ON FUNCTION agent.get_budget(text, jsonb) IS 'GET /v1/budget. 200 {tenant_id, budgets}';
REVOKE ALL ON FUNCTION agent.get_budget(text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.get_usage(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
    errors jsonb;
    since timestamptz;
    until timestamptz;
    width text := body ->> 'bucket';
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    errors := agent.invalid_fields(body, 'query', '{"since": {"type": "time"}, "until": {"type": "time"},
        "bucket": {"type": "string", "pattern": "^(minute|hour|day)$"}}');
    IF errors IS NOT NULL THEN
        RETURN agent.refuse('usage.read', 'usage', NULL, 422, 'invalid_request', errors);
    END IF;
    since := coalesce(agent.parse_time(body ->> 'since'), date_trunc('month', now()));
    until := coalesce(agent.parse_time(body ->> 'until'), 'infinity');
    RETURN agent.answer(200, jsonb_build_object('since', since, 'until', nullif(until, 'infinity'), 'models', (
        SELECT coalesce(jsonb_agg(to_jsonb(m) ORDER BY m.model), '[]') FROM (
            SELECT u.model, sum(u.requests) AS requests, sum(u.input_tokens) AS input_tokens,
                sum(u.cached_input_tokens) AS cached_tokens, sum(u.output_tokens) AS output_tokens,
                trim_scale(coalesce(sum(u.cost_picodollars), 0) * 0.000000000001) AS cost_usd
            FROM agent.usage u WHERE u.admitted_at >= since AND u.admitted_at < until GROUP BY u.model) m))
        || CASE WHEN width IS NULL THEN '{}' ELSE jsonb_build_object('buckets', (
            SELECT coalesce(jsonb_agg(to_jsonb(b) ORDER BY b.start), '[]') FROM (
                SELECT date_trunc(width, u.admitted_at) AS start, sum(u.requests) AS requests,
                    sum(u.input_tokens) AS input_tokens, sum(u.output_tokens) AS output_tokens,
                    trim_scale(coalesce(sum(u.cost_picodollars), 0) * 0.000000000001) AS cost_usd
                FROM agent.usage u WHERE u.admitted_at >= since AND u.admitted_at < until
                GROUP BY 1 ORDER BY 1 DESC LIMIT 1000) b)) END);
END
$$;
COMMENT ON FUNCTION agent.get_usage(text, jsonb) IS
    'GET /v1/usage: {since? start of the month, until?, bucket? minute, hour or day}. 200 {since, until, models}, '
    'and with bucket {buckets}: the newest 1000 that have usage, in UTC; 422';
REVOKE ALL ON FUNCTION agent.get_usage(text, jsonb) FROM PUBLIC;
