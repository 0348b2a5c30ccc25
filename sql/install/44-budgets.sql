-- Budgets: how much money and how many tokens a tenant, or one session, subject or model of it, may use
-- in an hour, a day, a month or in all. A window is computed from the time; nothing is ever reset.

CREATE TABLE tenancy.budgets (
    budget_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id         text COLLATE "C" NOT NULL
        CHECK (tenant_id = '*' OR tenant_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$'),
    scope             text NOT NULL CHECK (scope IN ('tenant', 'session', 'subject', 'model')),
    period            text NOT NULL CHECK (period IN ('hour', 'day', 'month', 'total')),
    time_zone         text NOT NULL,
    limit_picodollars bigint CHECK (limit_picodollars >= 0),
    limit_tokens      bigint CHECK (limit_tokens >= 0),
    warn_ratio        numeric CHECK (warn_ratio > 0 AND warn_ratio <= 1),
    mode              text NOT NULL CHECK (mode IN ('enforce', 'observe')),
    valid_from        timestamptz NOT NULL,
    valid_until       timestamptz NOT NULL CHECK (valid_until > valid_from),
    CHECK (limit_picodollars IS NOT NULL OR limit_tokens IS NOT NULL),
    -- A budget with another window is another budget: its counter must not carry over.
    UNIQUE (tenant_id, scope, period, time_zone, valid_from, valid_until)
);
COMMENT ON TABLE tenancy.budgets IS
    'Limits per window; tenant * is for every tenant without a row of its own for that scope and period; a row with an end goes before one without';
REVOKE ALL ON tenancy.budgets FROM PUBLIC;

-- Hours are those of UTC, always sixty minutes; days and months are those of the time zone. Where a local
-- clock shows midnight twice, the first one counts: each window begins where the one before ends.
CREATE FUNCTION tenancy.window_start(period text, at timestamptz, time_zone text) RETURNS timestamptz
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'pgt_window_start';
COMMENT ON FUNCTION tenancy.window_start(text, timestamptz, text) IS 'Internal: start of the window that holds a time';
REVOKE ALL ON FUNCTION tenancy.window_start(text, timestamptz, text) FROM PUBLIC;

CREATE FUNCTION tenancy.window_end(period text, at timestamptz, time_zone text) RETURNS timestamptz
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'pgt_window_end';
COMMENT ON FUNCTION tenancy.window_end(text, timestamptz, text) IS 'Internal: end of the window that holds a time, exclusive';
REVOKE ALL ON FUNCTION tenancy.window_end(text, timestamptz, text) FROM PUBLIC;

CREATE FUNCTION tenancy.set_budget(
        tenant_id text DEFAULT NULL, "window" text DEFAULT 'month', limit_usd numeric DEFAULT NULL,
        limit_tokens bigint DEFAULT NULL, warn_ratio numeric DEFAULT 0.8, mode text DEFAULT 'enforce',
        scope text DEFAULT 'tenant', time_zone text DEFAULT 'UTC',
        valid_from timestamptz DEFAULT '-infinity', valid_until timestamptz DEFAULT 'infinity')
    RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    who   CONSTANT text := coalesce(tenant_id, '*');
    money bigint;
    id    bigint;
BEGIN
    PERFORM tenancy.require(who = '*' OR EXISTS (SELECT FROM tenancy.tenants t WHERE t.tenant_id = who),
        format('tenant "%s" is not registered', left(who, 100)),
        'See tenancy.tenants, or give NULL for the default of all tenants.');
    PERFORM tenancy.require("window" IN ('hour', 'day', 'month', 'total'),
        format('window "%s" is not known', left("window", 100)), 'Use hour, day, month or total.');
    PERFORM tenancy.require(scope IN ('tenant', 'session', 'subject', 'model'),
        format('scope "%s" is not known', left(scope, 100)), 'Use tenant, session, subject or model.');
    PERFORM tenancy.require(mode IN ('enforce', 'observe'),
        format('mode "%s" is not known', left(mode, 100)), 'Use enforce or observe.');
    PERFORM tenancy.require(EXISTS (SELECT FROM pg_timezone_names z WHERE z.name = time_zone),
        format('time zone "%s" is not known', left(time_zone, 100)), 'See pg_timezone_names.');
    PERFORM tenancy.require(coalesce(limit_tokens, 0) >= 0 AND coalesce(warn_ratio, 1) > 0
            AND coalesce(warn_ratio, 1) <= 1 AND valid_from < valid_until,
        'a limit of the budget is out of range',
        'Use 0 or more tokens, a warn_ratio above 0 and up to 1, and valid_from before valid_until.');
    money := CASE WHEN limit_usd IS NOT NULL THEN tenancy.to_picodollars(limit_usd, 1e12, 'limit_usd') END;
    IF money IS NULL AND limit_tokens IS NULL THEN
        DELETE FROM tenancy.budgets b WHERE b.tenant_id = who AND b.scope = scope AND b.period = "window"
            AND b.time_zone = time_zone AND b.valid_from = valid_from AND b.valid_until = valid_until;
        RETURN NULL;
    END IF;
    DELETE FROM tenancy.budgets b WHERE b.tenant_id = who AND b.scope = scope AND b.period = "window"
        AND b.time_zone <> time_zone AND b.valid_from = valid_from AND b.valid_until = valid_until;
    INSERT INTO tenancy.budgets AS b (tenant_id, scope, period, time_zone, limit_picodollars,
        limit_tokens, warn_ratio, mode, valid_from, valid_until)
    VALUES (who, scope, "window", time_zone, money, limit_tokens, warn_ratio, mode, valid_from, valid_until)
    ON CONFLICT ON CONSTRAINT budgets_tenant_id_scope_period_time_zone_valid_from_valid_u_key DO UPDATE SET
        limit_picodollars = excluded.limit_picodollars, limit_tokens = excluded.limit_tokens,
        warn_ratio = excluded.warn_ratio, mode = excluded.mode
    RETURNING b.budget_id INTO id;
    RETURN id;
END
$$;
COMMENT ON FUNCTION tenancy.set_budget(text, text, numeric, bigint, numeric, text, text, text, timestamptz, timestamptz) IS
    'Limits what a tenant (NULL: each tenant) may use per window, in USD and tokens; both NULL removes the budget; returns its id';
REVOKE ALL ON FUNCTION tenancy.set_budget(text, text, numeric, bigint, numeric, text, text, text, timestamptz, timestamptz) FROM PUBLIC;

-- Nothing to price until somebody says what something costs. From then on, a model without a price is
-- refused: it would spend a budget unseen.
CREATE FUNCTION tenancy.money_counts() RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN EXISTS (SELECT FROM tenancy.prices)
        OR EXISTS (SELECT FROM tenancy.budgets b WHERE b.limit_picodollars IS NOT NULL);
END
$$;
COMMENT ON FUNCTION tenancy.money_counts() IS 'Internal: whether turns must have a price';
REVOKE ALL ON FUNCTION tenancy.money_counts() FROM PUBLIC;
