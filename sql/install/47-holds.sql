-- Hold, then settle: what a turn may use is held before the model runs and becomes a charge after.
-- Rows are the truth (open turns and usage of schema agent); the counters of 46-slots.sql only make the
-- decision fast. Every function here runs under the ledger lock of one tenant.

-- What one turn counts for. Plain arguments would be five in every call.
CREATE TYPE tenancy.turn_scope AS (
    tenant_id text, session_id text, subject text, model text, admitted_at timestamptz);
COMMENT ON TYPE tenancy.turn_scope IS 'Internal: whom a turn counts for and from when';

-- Every counter that a turn touches; `enforced` are those whose limit binds it now. Of several rows for
-- one scope and period the tenant's own goes before the default, and one with an end before one without.
-- Negative limits mean none. The turns of a tenant are always counted: so every turn of a transaction is
-- pending there, and rebuild_counters() knows. Ordered, so that all turns take counters in one order.
CREATE FUNCTION tenancy.counters_of(turn tenancy.turn_scope,
        OUT budget_id bigint, OUT scope text, OUT scope_value text, OUT period text,
        OUT window_start timestamptz, OUT window_end timestamptz, OUT money_limit bigint,
        OUT tokens_limit bigint, OUT warn_ratio numeric, OUT in_force boolean, OUT enforced boolean)
    RETURNS SETOF record
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'pgt_counters_of';
COMMENT ON FUNCTION tenancy.counters_of(tenancy.turn_scope) IS 'Internal: the counters that a turn touches';
REVOKE ALL ON FUNCTION tenancy.counters_of(tenancy.turn_scope) FROM PUBLIC;

CREATE FUNCTION tenancy.counter_most() RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 9223372036854775807;
COMMENT ON FUNCTION tenancy.counter_most() IS
    'Internal: where counters stay instead of wrapping, in memory (kCounterMost of extension/pg/slots.hpp) and from the rows';
REVOKE ALL ON FUNCTION tenancy.counter_most() FROM PUBLIC;

-- The counter as the rows have it.
CREATE FUNCTION tenancy.count_rows(p_tenant text, p_scope text, p_value text, p_from timestamptz,
        p_to timestamptz, OUT used_money bigint, OUT used_tokens bigint, OUT spent_money bigint,
        OUT spent_tokens bigint)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held_money  numeric;
    held_tokens numeric;
BEGIN
    SELECT CASE p_scope WHEN 'turns' THEN 0 ELSE coalesce(sum(t.hold_picodollars), 0) END,
           CASE p_scope WHEN 'turns' THEN count(*) ELSE coalesce(sum(t.hold_tokens), 0) END
    INTO held_money, held_tokens
    FROM agent.turns t
    WHERE t.tenant_id = p_tenant AND t.status = 'open' AND t.started_at >= p_from AND t.started_at < p_to
      AND CASE p_scope WHEN 'session' THEN t.session_id = p_value
          WHEN 'subject' THEN coalesce(t.subject, '') = p_value
          WHEN 'model' THEN coalesce(t.model, '') = p_value ELSE true END;
    SELECT least(tenancy.counter_most(), coalesce(sum(u.cost_picodollars), 0)),
           least(tenancy.counter_most(), coalesce(sum(u.input_tokens::numeric + u.output_tokens), 0))
    INTO spent_money, spent_tokens
    FROM agent.usage u
    WHERE u.tenant_id = p_tenant AND u.admitted_at >= p_from AND u.admitted_at < p_to
      AND CASE p_scope WHEN 'session' THEN u.session_id = p_value
          WHEN 'subject' THEN coalesce(u.subject, '') = p_value
          WHEN 'model' THEN coalesce(u.admitted_model, '') = p_value ELSE p_scope <> 'turns' END;
    used_money := least(tenancy.counter_most(), spent_money + held_money);
    used_tokens := least(tenancy.counter_most(), spent_tokens + held_tokens);
END
$$;
COMMENT ON FUNCTION tenancy.count_rows(text, text, text, timestamptz, timestamptz) IS
    'Internal: charges and open holds of one scope value in a window, from the rows';
REVOKE ALL ON FUNCTION tenancy.count_rows(text, text, text, timestamptz, timestamptz) FROM PUBLIC;

-- Makes every counter of the turn equal to the rows. Waits until no transaction of the tenant is between
-- its rows and their counters; refused in a transaction that itself is.
CREATE FUNCTION tenancy.rebuild_counters(turn tenancy.turn_scope) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tenancy.holds_mark() > 0 THEN
        RAISE EXCEPTION 'budget counters must be rebuilt' USING ERRCODE = 'PT503',
            DETAIL = '{"code": "unavailable"}', HINT = 'Try again in a new transaction.';
    END IF;
    PERFORM tenancy.lock_ledger(turn.tenant_id, true);
    PERFORM tenancy.slot_fill(turn.tenant_id, c.budget_id, c.scope_value, c.window_start,
                              r.used_money, r.used_tokens, r.spent_money, r.spent_tokens)
    FROM tenancy.counters_of(turn) c,
         tenancy.count_rows(turn.tenant_id, c.scope, c.scope_value, c.window_start, c.window_end) r
    WHERE c.in_force;
END
$$;
COMMENT ON FUNCTION tenancy.rebuild_counters(tenancy.turn_scope) IS 'Internal: rebuilds the counters of a turn from the rows';
REVOKE ALL ON FUNCTION tenancy.rebuild_counters(tenancy.turn_scope) FROM PUBLIC;

CREATE TYPE tenancy.refused_hold AS (is_missing boolean, scope text, scope_value text, period text, window_end timestamptz,
    money_limit bigint, tokens_limit bigint, spent_money bigint, spent_tokens bigint, used_money bigint, used_tokens bigint);
COMMENT ON TYPE tenancy.refused_hold IS
    'Internal: the counter that a hold did not fit into, or is_missing and nothing else: it must be rebuilt first';

CREATE FUNCTION tenancy.hold_counters(turn tenancy.turn_scope, money bigint, tokens bigint) RETURNS tenancy.refused_hold
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgt_hold_counters'; -- not STRICT: NULL means held
COMMENT ON FUNCTION tenancy.hold_counters(tenancy.turn_scope, bigint, bigint) IS
    'Internal: holds on all counters of a turn, NULL, or on none: the one that refused';
REVOKE ALL ON FUNCTION tenancy.hold_counters(tenancy.turn_scope, bigint, bigint) FROM PUBLIC;

CREATE FUNCTION tenancy.settle(turn tenancy.turn_scope, held_money bigint, held_tokens bigint,
        charged_money bigint, charged_tokens bigint, ended_turns int) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgt_settle';
COMMENT ON FUNCTION tenancy.settle(tenancy.turn_scope, bigint, bigint, bigint, bigint, int) IS
    'Internal: takes the shared ledger lock and moves all counters of a turn when this transaction commits: what it held, what it is charged, and whether it ended; one that is not there needs nothing, it will be rebuilt from the rows';
REVOKE ALL ON FUNCTION tenancy.settle(tenancy.turn_scope, bigint, bigint, bigint, bigint, int) FROM PUBLIC;

-- Which limit said no, what is left of it and when it begins anew. budget_held: it would fit if the open
-- turns cost nothing, so waiting helps.
CREATE FUNCTION tenancy.hold_refusal(c jsonb, h jsonb, money bigint, tokens bigint) RETURNS jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT jsonb_strip_nulls(jsonb_build_object(
        'code', CASE
            WHEN c ->> 'scope' = 'turns' THEN 'concurrency_limit_exceeded'
            WHEN ((c ->> 'money_limit')::bigint < 0 OR (h ->> 'spent_money')::numeric + money <= (c ->> 'money_limit')::numeric)
             AND ((c ->> 'tokens_limit')::bigint < 0 OR (h ->> 'spent_tokens')::numeric + tokens <= (c ->> 'tokens_limit')::numeric)
            THEN 'budget_held' ELSE 'insufficient_quota' END,
        'scope', c -> 'scope', 'scope_value', c -> 'scope_value', 'window', c -> 'period',
        'limit_picodollars', CASE WHEN (c ->> 'money_limit')::bigint >= 0 THEN c -> 'money_limit' END,
        'limit_tokens', CASE WHEN (c ->> 'tokens_limit')::bigint >= 0 THEN c -> 'tokens_limit' END,
        'spent_picodollars', h -> 'spent_money', 'spent_tokens', h -> 'spent_tokens',
        'held_picodollars', (h ->> 'used_money')::bigint - (h ->> 'spent_money')::bigint,
        'held_tokens', (h ->> 'used_tokens')::bigint - (h ->> 'spent_tokens')::bigint,
        'resets_at', CASE WHEN c ->> 'period' <> 'total' THEN c -> 'window_end' END));
END;
COMMENT ON FUNCTION tenancy.hold_refusal(jsonb, jsonb, bigint, bigint) IS 'Internal: why a hold was refused';
REVOKE ALL ON FUNCTION tenancy.hold_refusal(jsonb, jsonb, bigint, bigint) FROM PUBLIC;

-- The slow path, for a turn whose counters find no room in memory: decides as hold_counters() does, from the
-- rows, under the exclusive ledger lock. A counter in a row would be a second truth. Counters of the turn
-- that are in memory follow.
CREATE FUNCTION tenancy.hold_by_rows(turn tenancy.turn_scope, money bigint, tokens bigint) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    mark CONSTANT int := tenancy.holds_mark();
    c record;
    used record;
    units bigint;
    is_held boolean;
BEGIN
    FOR c IN SELECT * FROM tenancy.counters_of(turn) LOOP
        units := CASE c.scope WHEN 'turns' THEN 1 ELSE tokens END;
        used := tenancy.count_rows(turn.tenant_id, c.scope, c.scope_value, c.window_start, c.window_end);
        SELECT s.held INTO is_held FROM tenancy.slot_hold(turn.tenant_id, c.budget_id, c.scope_value, c.window_start,
            CASE c.scope WHEN 'turns' THEN 0 ELSE money END, units, -1, -1) AS s;
        IF NOT is_held OR c.enforced AND (
            c.money_limit >= 0 AND used.used_money::numeric + money > c.money_limit
            OR c.tokens_limit >= 0 AND used.used_tokens::numeric + units > c.tokens_limit)
        THEN
            PERFORM tenancy.holds_undo(mark);
            RETURN tenancy.hold_refusal(to_jsonb(c), to_jsonb(used), money, units);
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION tenancy.hold_by_rows(tenancy.turn_scope, bigint, bigint) IS
    'Internal: as hold_counters(), from the rows; under the exclusive ledger lock';
REVOKE ALL ON FUNCTION tenancy.hold_by_rows(tenancy.turn_scope, bigint, bigint) FROM PUBLIC;

CREATE FUNCTION tenancy.hold(turn tenancy.turn_scope, money bigint, tokens bigint) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    refused tenancy.refused_hold;
BEGIN
    PERFORM tenancy.lock_ledger(turn.tenant_id, false);
    refused := tenancy.hold_counters(turn, money, tokens);
    IF refused IS NULL THEN
        RETURN NULL;
    ELSIF refused.is_missing THEN
        -- Not an upgrade of the lock: two sessions that both upgrade would wait for each other.
        PERFORM tenancy.unlock_shared_ledger(turn.tenant_id);
        PERFORM tenancy.rebuild_counters(turn);
        refused := tenancy.hold_counters(turn, money, tokens);
        IF refused.is_missing THEN -- other tenants took the room already
            RETURN tenancy.hold_by_rows(turn, money, tokens);
        ELSIF refused IS NULL THEN
            RETURN NULL;
        END IF;
    END IF;
    RETURN tenancy.hold_refusal(to_jsonb(refused), to_jsonb(refused), money, CASE refused.scope WHEN 'turns' THEN 1 ELSE tokens END);
END
$$;
COMMENT ON FUNCTION tenancy.hold(tenancy.turn_scope, bigint, bigint) IS
    'Internal: holds picodollars and tokens for a turn on every limit that binds it, or on none: NULL = held, else the refusal';
REVOKE ALL ON FUNCTION tenancy.hold(tenancy.turn_scope, bigint, bigint) FROM PUBLIC;
