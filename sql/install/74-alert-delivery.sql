-- How servers send alerts: each is claimed by one server at a time and sent until somebody took it, for
-- three days at most. For a maintenance role.

CREATE FUNCTION tenancy.alert_payload(a tenancy.alerts) RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT jsonb_build_object(
        'alert_id', a.alert_id, 'kind', a.kind, 'tenant_id', a.tenant_id, 'budget_id', a.budget_id,
        'scope', a.scope, 'identifier', CASE WHEN a.scope <> 'tenant' THEN a.scope_value ELSE a.tenant_id END,
        'window', a.period, 'window_start', nullif(a.window_start, '-infinity'), 'mode', a.mode,
        'measure', a.measure, CASE a.measure WHEN 'money' THEN 'threshold_usd' ELSE 'threshold_tokens' END,
        CASE a.measure WHEN 'money' THEN agent.usd(a.threshold) ELSE a.threshold END,
        'limit_usd', agent.usd(a.limit_picodollars), 'limit_tokens', a.limit_tokens,
        'spent_usd', agent.usd(a.spent_picodollars), 'spent_tokens', a.spent_tokens,
        'raised_at', a.raised_at, 'attempt', a.attempts);
END;
COMMENT ON FUNCTION tenancy.alert_payload(tenancy.alerts) IS 'Internal: an alert as its receiver gets it';
REVOKE ALL ON FUNCTION tenancy.alert_payload(tenancy.alerts) FROM PUBLIC;

-- The pause grows from one lease to an hour. A server that dies between claim and delivery is waited for
-- as one that failed. All tenants with something due are equally likely to be next: one can have alerts
-- without end, for refused turns cost nothing and a budget of sessions refuses each session anew.
CREATE FUNCTION tenancy.claim_alert(lease_seconds int, OUT tenant_id text, OUT alert_id uuid, OUT payload jsonb)
    RETURNS SETOF record
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY WITH chosen AS (
        SELECT t.tenant_id FROM (SELECT DISTINCT a.tenant_id FROM tenancy.alerts a
            WHERE a.delivered_at IS NULL AND a.next_attempt_at <= clock_timestamp()
                AND a.raised_at > now() - interval '3 days') t
        ORDER BY random() LIMIT 1
    ), due AS (
        SELECT a.tenant_id, a.alert_id FROM tenancy.alerts a
        WHERE a.tenant_id = (SELECT c.tenant_id FROM chosen c) AND a.delivered_at IS NULL
            AND a.next_attempt_at <= clock_timestamp() AND a.raised_at > now() - interval '3 days'
        ORDER BY a.raised_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE tenancy.alerts a SET attempts = a.attempts + 1,
        next_attempt_at = clock_timestamp() + make_interval(secs => least(greatest(lease_seconds, 3600),
            lease_seconds * 2 ^ least(a.attempts, 20)))
    FROM due WHERE a.tenant_id = due.tenant_id AND a.alert_id = due.alert_id
    RETURNING a.tenant_id, a.alert_id, tenancy.alert_payload(a);
END
$$;
COMMENT ON FUNCTION tenancy.claim_alert(int) IS
    'The oldest alert that is due for delivery of a tenant chosen at random, for this caller alone: not given out again for lease_seconds, doubled with each attempt up to an hour; no row when none is due';
REVOKE ALL ON FUNCTION tenancy.claim_alert(int) FROM PUBLIC;

CREATE FUNCTION tenancy.alert_delivered(tenant_id text, alert_id uuid) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    UPDATE tenancy.alerts a SET delivered_at = coalesce(a.delivered_at, clock_timestamp())
    WHERE a.tenant_id = alert_delivered.tenant_id AND a.alert_id = alert_delivered.alert_id;
END;
COMMENT ON FUNCTION tenancy.alert_delivered(text, uuid) IS 'Marks an alert as delivered: it is not given out again';
REVOKE ALL ON FUNCTION tenancy.alert_delivered(text, uuid) FROM PUBLIC;
