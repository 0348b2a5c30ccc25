-- checks.sql: the database of the torture tests, and views that show what must not be, counted from the
-- rows without the extension's own functions. psql variable: jwks.
CREATE EXTENSION pg_tenancy;
SELECT tenancy.add_issuer('https://dev.issuer.example', '{agents}', 'org_id');
SELECT * FROM tenancy.load_jwks('https://dev.issuer.example', :'jwks');
SELECT NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'regress_app') AS no_app \gset
\if :no_app
CREATE ROLE regress_app LOGIN;
CREATE ROLE regress_maintenance LOGIN;
\endif
SELECT tenancy.grant_app('regress_app');
SELECT tenancy.grant_maintenance('regress_maintenance');
SELECT tenancy.set_price('m', 0, 1);

CREATE SCHEMA torture;
GRANT USAGE ON SCHEMA torture TO regress_app;
CREATE TABLE torture.acknowledged (turn_id text, output_tokens bigint);

-- Charges that a client was told of, and that the ledger does not have, once and in full.
CREATE VIEW torture.lost AS
SELECT a.turn_id, a.output_tokens, u.output_tokens AS ledger_tokens, u.cost
FROM torture.acknowledged a
LEFT JOIN (SELECT turn_id, sum(output_tokens) AS output_tokens, sum(cost_picodollars) AS cost
           FROM agent.usage GROUP BY turn_id) u USING (turn_id)
WHERE u.output_tokens IS DISTINCT FROM a.output_tokens OR u.cost <> a.output_tokens * 1000000;

-- Windows whose charges and open holds are over the limit, not counting late rows and what a turn used
-- beyond its hold.
CREATE VIEW torture.over_limit AS
WITH used AS (
    SELECT tenant_id, session_id, subject, model, started_at AS at, hold_picodollars AS money
    FROM agent.turns WHERE status = 'open'
    UNION ALL
    SELECT t.tenant_id, t.session_id, t.subject, t.model, t.started_at,
        CASE WHEN u.late THEN 0 ELSE least(u.cost_picodollars, t.hold_picodollars) END
    FROM agent.usage u JOIN agent.turns t USING (tenant_id, turn_id)
), counted AS (
    SELECT b.tenant_id, b.scope, b.period, b.limit_picodollars, u.money,
        CASE b.scope WHEN 'session' THEN u.session_id WHEN 'subject' THEN u.subject WHEN 'model' THEN u.model END AS value,
        CASE b.period WHEN 'total' THEN '-infinity' ELSE date_trunc(b.period, u.at, b.time_zone) END AS since
    FROM tenancy.budgets b JOIN used u USING (tenant_id) WHERE b.mode = 'enforce'
)
SELECT tenant_id, scope, value, period, since, sum(money) AS used, limit_picodollars
FROM counted WHERE scope = 'tenant' OR value IS NOT NULL
GROUP BY tenant_id, scope, value, period, since, limit_picodollars
HAVING sum(money) > limit_picodollars;

-- Ended turns without their charge, audit row or closed trace, and charges of turns that have not ended.
CREATE VIEW torture.torn AS
SELECT t.tenant_id, t.turn_id, t.status, u.charges, a.entries, r.ended_at
FROM agent.turns t
LEFT JOIN (SELECT turn_id, count(*) FILTER (WHERE NOT late) AS charges FROM agent.usage GROUP BY 1) u USING (turn_id)
LEFT JOIN (SELECT resource_id AS turn_id, count(*) AS entries FROM agent.audit_log
           WHERE action = 'chat.complete' AND resource_type = 'turn' GROUP BY 1) a USING (turn_id)
LEFT JOIN agent.traces r ON r.tenant_id = t.tenant_id AND r.trace_id = t.trace_id
WHERE (t.status = 'open') <> (u.charges IS NULL AND a.entries IS NULL AND r.ended_at IS NULL)
   OR u.charges <> 1;

-- Observed budgets of money, whose limits no scenario changes: thresholds that are crossed without an alert, and alerts
-- without a crossing.
CREATE VIEW torture.wrong_alerts AS
WITH counted AS (
    SELECT b.budget_id, u.tenant_id, b.limit_picodollars, b.warn_ratio, u.cost_picodollars,
        CASE b.scope WHEN 'tenant' THEN '' WHEN 'session' THEN u.session_id WHEN 'subject' THEN u.subject ELSE u.admitted_model END AS value,
        CASE b.period WHEN 'total' THEN '-infinity' ELSE date_trunc(b.period, u.admitted_at, b.time_zone) END AS since
    FROM tenancy.budgets b JOIN agent.usage u USING (tenant_id) WHERE b.mode = 'observe'
), spent AS (
    SELECT budget_id, tenant_id, value, since, limit_picodollars, warn_ratio, sum(cost_picodollars) AS spent
    FROM counted WHERE value IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6
), crossed AS (
    SELECT s.*, k.kind FROM spent s, (VALUES ('warn'), ('limit')) k (kind)
    WHERE s.spent >= CASE k.kind WHEN 'warn' THEN s.warn_ratio ELSE 1 END * s.limit_picodollars
), raised AS (
    SELECT a.tenant_id, a.budget_id, a.scope_value AS value, a.window_start AS since, a.kind, a.spent_picodollars
    FROM tenancy.alerts a WHERE a.mode = 'observe' AND a.measure = 'money'
)
SELECT * FROM crossed FULL JOIN raised USING (tenant_id, budget_id, value, since, kind)
WHERE crossed.spent IS NULL OR raised.spent_picodollars IS NULL OR raised.spent_picodollars > crossed.spent;

-- Sets the tenant's total budget so that so many holds are left.
CREATE FUNCTION torture.leave(tenant text, holds numeric) RETURNS bigint LANGUAGE sql AS $$
    SELECT tenancy.set_budget(tenant, 'total',
        (coalesce(sum(cost_picodollars), 0) + holds * 100000000) * 0.000000000001)
    FROM agent.usage WHERE tenant_id = tenant $$;

-- Turns that use all they hold, until one is refused.
CREATE PROCEDURE torture.drain(token text, INOUT turns int) LANGUAGE plpgsql AS $$
DECLARE
    r agent.response;
BEGIN
    WHILE turns < 1000 LOOP
        r := agent.begin_turn(token, '{"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "x"}]}');
        COMMIT;
        EXIT WHEN r.status <> 200;
        PERFORM agent.end_turn(r.body ->> 'ticket', '{"status": "ok", "model": "m", "message": {"role": "assistant", "content": "y"},
            "usage": {"prompt_tokens": 5, "completion_tokens": 100}}');
        COMMIT;
        turns := turns + 1;
    END LOOP;
END $$;
