-- Alerts of budgets: one row for each crossing of a threshold, written by the transaction whose charge
-- crosses it (extension/pg/alerts.hpp), and NOTIFY at its commit. The row is the truth; the unique key
-- makes "once" true whatever happens.

CREATE TABLE tenancy.alerts (
    tenant_id         text COLLATE "C" NOT NULL DEFAULT tenancy.current_tenant(),
    alert_id          uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid(),
    budget_id         bigint NOT NULL,
    scope             text NOT NULL,
    scope_value       text COLLATE "C" NOT NULL,
    period            text NOT NULL,
    window_start      timestamptz NOT NULL,
    mode              text NOT NULL,
    kind              text NOT NULL CHECK (kind IN ('warn', 'limit', 'refused')),
    measure           text NOT NULL CHECK (measure IN ('money', 'tokens')),
    threshold         bigint NOT NULL CHECK (threshold >= 0),
    limit_picodollars bigint,
    limit_tokens      bigint,
    spent_picodollars bigint NOT NULL,
    spent_tokens      bigint NOT NULL,
    raised_at         timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    attempts          integer NOT NULL DEFAULT 0,
    next_attempt_at   timestamptz NOT NULL DEFAULT '-infinity',
    delivered_at      timestamptz,
    PRIMARY KEY (tenant_id, alert_id),
    UNIQUE (tenant_id, budget_id, scope_value, window_start, kind, measure, threshold)
);
REVOKE ALL ON tenancy.alerts FROM PUBLIC;
CREATE INDEX alerts_undelivered ON tenancy.alerts (tenant_id, raised_at) WHERE delivered_at IS NULL;
ALTER TABLE tenancy.alerts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON tenancy.alerts USING (true) WITH CHECK (true);
CREATE POLICY tenant_wall ON tenancy.alerts AS RESTRICTIVE FOR ALL
    USING (tenant_id = (SELECT tenancy.current_tenant()))
    WITH CHECK (tenant_id = (SELECT tenancy.current_tenant()));
COMMENT ON POLICY tenant_rows ON tenancy.alerts IS 'Everything that tenant_wall leaves';
COMMENT ON POLICY tenant_wall ON tenancy.alerts IS 'Only rows of the verified tenant';
COMMENT ON INDEX tenancy.alerts_undelivered IS 'What the servers have yet to send';
COMMENT ON TABLE tenancy.alerts IS
    'One row for each time that a budget''s spending crossed a threshold, or a turn was first refused for it. '
    'A tenant can read its own. While a window runs, a deleted row can be raised again';
COMMENT ON COLUMN tenancy.alerts.kind IS
    'warn: warn_ratio of the limit is spent; limit: all of it; refused: a turn was refused as the rest does not pay for it';
COMMENT ON COLUMN tenancy.alerts.threshold IS
    'Picodollars or tokens, as measure says, that were crossed. Part of the key: another limit is another crossing';
COMMENT ON COLUMN tenancy.alerts.spent_picodollars IS 'Charges of the window, this one included, without holds';
COMMENT ON COLUMN tenancy.alerts.spent_tokens IS 'Tokens charged in the window, likewise';
COMMENT ON COLUMN tenancy.alerts.attempts IS 'How often a server has tried to send it';
COMMENT ON COLUMN tenancy.alerts.next_attempt_at IS 'Until then the server that tried last is the only one that does';

-- Everyone who can connect may listen, so the notification names no tenant.
CREATE FUNCTION tenancy.add_alert(b tenancy.budgets, p_tenant text, p_value text, p_window timestamptz,
        p_kind text, p_measure text, p_threshold bigint, spent_money bigint, spent_tokens bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    added uuid;
BEGIN
    INSERT INTO tenancy.alerts (tenant_id, budget_id, scope, scope_value, period, window_start, mode, kind, measure,
        threshold, limit_picodollars, limit_tokens, spent_picodollars, spent_tokens)
    VALUES (p_tenant, b.budget_id, b.scope, p_value, b.period, p_window, b.mode, p_kind, p_measure,
        p_threshold, b.limit_picodollars, b.limit_tokens, spent_money, spent_tokens)
    ON CONFLICT DO NOTHING RETURNING alert_id INTO added;
    IF added IS NOT NULL THEN
        PERFORM pg_notify('tenancy_alerts', jsonb_build_object('alert_id', added, 'kind', p_kind)::text);
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.add_alert(tenancy.budgets, text, text, timestamptz, text, text, bigint, bigint, bigint) IS
    'Internal: writes an alert and notifies, unless there is one of that key';
REVOKE ALL ON FUNCTION tenancy.add_alert(tenancy.budgets, text, text, timestamptz, text, text, bigint, bigint, bigint) FROM PUBLIC;

-- Called by the module right before the commit of a charge that might cross, while nobody else can
-- commit one; past privileges, hence definer.
CREATE FUNCTION tenancy.raise_alerts(p_tenant text, p_budget bigint, p_value text, p_window timestamptz,
        is_known boolean, spent_money bigint, spent_tokens bigint, charged_money bigint, charged_tokens bigint)
    RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    b tenancy.budgets;
    after_money numeric := spent_money::numeric + charged_money;
    after_tokens numeric := spent_tokens::numeric + charged_tokens;
BEGIN
    SELECT * INTO b FROM tenancy.budgets x WHERE x.budget_id = p_budget;
    IF NOT is_known AND b.budget_id IS NOT NULL THEN
        SELECT c.spent_money, c.spent_tokens INTO after_money, after_tokens -- the charge is among the rows
        FROM tenancy.count_rows(p_tenant, b.scope, p_value, p_window, CASE b.period WHEN 'total' THEN 'infinity'
            ELSE tenancy.window_end(b.period, p_window, b.time_zone) END) c;
    END IF;
    PERFORM tenancy.add_alert(b, p_tenant, p_value, p_window, t.kind, t.measure, t.threshold::bigint,
        least(after_money, tenancy.counter_most())::bigint, least(after_tokens, tenancy.counter_most())::bigint)
    FROM (SELECT k.kind, m.measure, greatest(ceil(m.most * k.share), 1) AS threshold, m.spent, m.charged
        FROM (VALUES ('warn', b.warn_ratio), ('limit', 1)) k (kind, share),
            (VALUES ('money', b.limit_picodollars, after_money, charged_money),
                ('tokens', b.limit_tokens, after_tokens, charged_tokens)) m (measure, most, spent, charged)
        WHERE k.share IS NOT NULL AND m.most IS NOT NULL) t
    WHERE b.budget_id IS NOT NULL AND t.spent >= t.threshold AND t.spent - t.charged < t.threshold;
END
$$;
COMMENT ON FUNCTION tenancy.raise_alerts(text, bigint, text, timestamptz, boolean, bigint, bigint, bigint, bigint) IS
    'Internal: alerts for every threshold of a budget that a charge crosses; without is_known what is spent is counted from the rows';
REVOKE ALL ON FUNCTION tenancy.raise_alerts(text, bigint, text, timestamptz, boolean, bigint, bigint, bigint, bigint) FROM PUBLIC;

-- An enforced budget rarely reaches its limit to the last token: what is left no longer pays for a turn.
CREATE FUNCTION tenancy.alert_refusal(turn tenancy.turn_scope, refusal jsonb, wanted_money bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_money CONSTANT boolean := coalesce((refusal ->> 'spent_picodollars')::numeric + wanted_money
        > (refusal ->> 'limit_picodollars')::numeric, false);
BEGIN
    IF refusal ->> 'code' = 'insufficient_quota' THEN
        PERFORM tenancy.add_alert(b, turn.tenant_id, c.scope_value, c.window_start, 'refused',
            CASE WHEN is_money THEN 'money' ELSE 'tokens' END,
            CASE WHEN is_money THEN b.limit_picodollars ELSE b.limit_tokens END,
            (refusal ->> 'spent_picodollars')::bigint, (refusal ->> 'spent_tokens')::bigint)
        FROM tenancy.counters_of(turn) c JOIN tenancy.budgets b ON b.budget_id = c.budget_id
        WHERE c.enforced AND c.scope = refusal ->> 'scope' AND c.period = refusal ->> 'window';
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.alert_refusal(tenancy.turn_scope, jsonb, bigint) IS
    'Internal: an alert when a budget refuses a turn for the first time in its window';
REVOKE ALL ON FUNCTION tenancy.alert_refusal(tenancy.turn_scope, jsonb, bigint) FROM PUBLIC;
