-- attack.sql: what somebody tries who has the application's SQL role, a good token of tenant "mallory"
-- and the names of the others. Every line says "ok - CLAIM" or "not ok - CLAIM". Run as that role.
-- psql variables: token (of mallory), foreign_ticket (an open turn of tenant "victim").
\pset tuples_only on
\pset format unaligned
\set QUIET on

-- Runs a statement that must be refused with one of the given SQLSTATEs.
CREATE FUNCTION pg_temp.refused(claim text, statement text, states text DEFAULT '42501') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'not ok - ' || claim || ': it succeeded';
EXCEPTION WHEN OTHERS THEN
    RETURN CASE WHEN sqlstate = ANY (string_to_array(states, ' ')) THEN 'ok - ' || claim
        ELSE format('not ok - %s: %s %s', claim, sqlstate, sqlerrm) END;
END $$;
CREATE FUNCTION pg_temp.holds(claim text, truth boolean) RETURNS text LANGUAGE sql AS
    $$ SELECT CASE WHEN truth THEN 'ok - ' ELSE 'not ok - ' END || claim $$;
CREATE FUNCTION pg_temp.begin(token text, tokens int DEFAULT 100) RETURNS agent.response LANGUAGE sql AS $$
    SELECT agent.begin_turn(token, jsonb_build_object('model', 'm', 'max_tokens', tokens, 'messages', '[{"role": "user", "content": "x"}]'::jsonb)) $$;
CREATE FUNCTION pg_temp.result(tokens numeric) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('status', 'ok', 'model', 'm', 'message', '{"role": "assistant", "content": "y"}'::jsonb,
        'usage', jsonb_build_object('prompt_tokens', 1, 'completion_tokens', tokens)) $$;

-- The ledger, limits and prices, by hand (I6).
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token') \g /dev/null
SELECT pg_temp.refused(format(verb, t), format(verb, t)) FROM
    (VALUES ('DELETE FROM %s'), ('TRUNCATE %s'), ('INSERT INTO %s DEFAULT VALUES'), ('LOCK TABLE %s'), ('ALTER TABLE %s DISABLE TRIGGER ALL'),
        ('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY'), ('DROP TABLE %s'), ('CREATE INDEX ON %s ((1))'), ('CREATE RULE r AS ON INSERT TO %s DO INSTEAD NOTHING')) v (verb),
    (VALUES ('agent.usage'), ('agent.turns'), ('agent.audit_log'), ('tenancy.budgets'), ('tenancy.prices'), ('tenancy.rate_limits'), ('tenancy.tenants')) t (t);
SELECT pg_temp.refused(s, s) FROM (VALUES
    ('UPDATE agent.usage SET cost_picodollars = 0'), ('UPDATE agent.usage SET admitted_at = ''-infinity'''),
    ('UPDATE agent.turns SET hold_picodollars = 0'), ('UPDATE agent.turns SET deadline = now()'), ('UPDATE agent.turns SET status = ''aborted'', ended_at = now()'),
    ('UPDATE tenancy.budgets SET limit_picodollars = 9000000000000000000'), ('UPDATE tenancy.prices SET output = 0'),
    ('SELECT ticket_hash FROM agent.turns'), ('SELECT instance_id FROM agent.turns'), ('SELECT 1 FROM agent.turns FOR UPDATE'), ('SELECT 1 FROM agent.usage FOR SHARE'),
    ('SELECT * FROM tenancy.budgets'), ('SELECT * FROM tenancy.prices'), ('COPY agent.usage (cost_picodollars) FROM ''/dev/null'''),
    ('CREATE SCHEMA mine'), ('CREATE TABLE public.mine ()'), ('CREATE TABLE agent.mine ()'), ('CREATE FUNCTION tenancy.require(boolean, text, text) RETURNS void LANGUAGE sql AS '''''),
    ('CREATE FUNCTION pg_temp.fill(text, bigint, text, timestamptz, bigint, bigint, bigint, bigint) RETURNS void LANGUAGE c AS ''$libdir/pg_tenancy'', ''pgt_slot_fill'''),
    ('ALTER ROLE regress_app SUPERUSER'), ('ALTER ROLE regress_app BYPASSRLS'), ('SET ROLE postgres'), ('SET SESSION AUTHORIZATION postgres')) v (s);

-- Settings.
SELECT pg_temp.refused(s, s, '42501 55P02') FROM (VALUES
    ('SET session_replication_role = replica'), ('SET tenancy.turn_deadline = 1'), ('SET tenancy.max_output_tokens = 1'), ('SET tenancy.context_scope = session'),
    ('SET tenancy.max_slots = 64'), ('SET tenancy.max_flows = 64'), ('SHOW tenancy.token'),
    ('ALTER ROLE postgres SET tenancy.model = ''cheap'''), ('ALTER DATABASE postgres SET tenancy.model = ''cheap''')) v (s);

-- Internal functions: none but those of the list is granted, and the parts of the hold least of all.
SELECT pg_temp.holds('no function of the extension is executable that is not on the list', NOT EXISTS (
    SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname IN ('tenancy', 'agent') AND p.prorettype <> 'trigger'::regtype AND has_function_privilege(p.oid, 'EXECUTE')
      AND (p.proname ~ '^(slot|hold|lock_|unlock_|settle|rebuild|count_rows|counter_most|counters_of|set_|add_|load_|give_back|take_rate|instance_is_gone|verify_|sweep_turn$|record_usage|audit_turn|append_|close_|usage_report|price_of|cost_|sweep_|instance_)'
      AND p.oid NOT IN ('tenancy.set_tenant_from_jwt(text)'::regprocedure, 'agent.add_work_item(jsonb)'::regprocedure))));
SELECT pg_temp.refused(s, 'SELECT ' || s) FROM (VALUES
    ('tenancy.slot_fill(''victim'', 1, '''', ''-infinity'', 0, 0, 0, 0)'), ('tenancy.settle(ROW(''mallory'', NULL, NULL, NULL, now()), -1, 0, 0, 0, 0)'),
    ('tenancy.slot_hold(''victim'', 1, '''', ''-infinity'', 1, 1, -1, -1)'), ('tenancy.hold_counters((''victim'', NULL, NULL, NULL, now())::tenancy.turn_scope, 1, 1)'), ('tenancy.hold_by_rows((''victim'', NULL, NULL, NULL, now())::tenancy.turn_scope, 1, 1)'),
    ('tenancy.settle((''mallory'', NULL, NULL, NULL, now())::tenancy.turn_scope, -1, -1, 0, 0, 0)'), ('tenancy.counters_of((''victim'', NULL, NULL, NULL, now())::tenancy.turn_scope)'), ('tenancy.holds_undo(0)'), ('tenancy.lock_ledger(''victim'', true)'),
    ('tenancy.unlock_shared_ledger(''mallory'')'), ('tenancy.give_back_rate(''mallory'', 1, 1000, now())'), ('tenancy.instance_is_gone(''x'')'),
    ('tenancy.set_budget(''mallory'', ''day'')'), ('tenancy.set_price(''m'', 0, 0)'), ('tenancy.set_rate_limit(''mallory'')'), ('tenancy.resume_tenant(''mallory'')'),
    ('agent.sweep_turns(1000)'), ('tenancy.instance_lock(''server-1'')'), ('tenancy.verify_counters()'), ('tenancy.slots()'), ('tenancy.usage_report(''-infinity'', ''infinity'')')) v (s);
SELECT pg_temp.refused('a rate cannot be given back with a negative cost', 'SELECT tenancy.take_request(-5)', '22023');
COMMIT;

-- Tokens and tickets.
SELECT pg_temp.refused('a token with another tenant in it', format('SELECT agent.begin_turn(%L, ''{}'')', regexp_replace(:'token', '\.(.)', '.Z')), 'PT401');
SELECT pg_temp.holds('a ticket that is ' || kind || ' is unknown', (agent.end_turn(t, pg_temp.result(0))).status = 404 AND agent.meter_turn(t, 1) IS NOT TRUE)
FROM (VALUES ('made up', repeat('0', 64) || '.victim'), ('of another tenant, under our name', left(:'foreign_ticket', 64) || '.mallory'), ('cut short', left(:'foreign_ticket', 64)),
    ('in capitals', upper(left(:'foreign_ticket', 64)) || '.victim'), ('empty', ''), ('a pattern', repeat('_', 64) || '.%'), ('SQL', ''' OR true --'), ('long', repeat('0', 100000))) v (kind, t);
SELECT pg_temp.holds('no ticket is no ticket', (agent.end_turn(NULL, pg_temp.result(0))).status = 404);

-- Settling: twice, with nothing, and with what is no number of tokens.
SELECT (b.r).body ->> 'ticket' AS ticket FROM (SELECT pg_temp.begin(:'token') AS r) b \gset
SELECT pg_temp.holds('usage of ' || u || ' is refused and ends nothing', (agent.end_turn(:'ticket', jsonb_set(pg_temp.result(0), '{usage,completion_tokens}', u::jsonb))).status = 422)
FROM (VALUES ('-1'), ('1e30'), ('"NaN"'), ('0.5'), ('9223372036854775807'), ('"Infinity"'), ('{}')) v (u);
SELECT pg_temp.holds('a turn settles', (agent.end_turn(:'ticket', pg_temp.result(30))).body -> 'repeated' = 'false');
SELECT pg_temp.holds('but not twice', (agent.end_turn(:'ticket', pg_temp.result(0))).body -> 'repeated' = 'true');
SELECT (b.r).body ->> 'ticket' AS ticket, (b.r).body ->> 'turn_id' AS turn FROM (SELECT pg_temp.begin(:'token') AS r) b \gset
SELECT agent.meter_turn(:'ticket', 70) \g /dev/null
SELECT agent.meter_turn(:'ticket', -5) \g /dev/null
SELECT agent.end_turn(:'ticket', pg_temp.result(0)) \g /dev/null
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token') \g /dev/null
SELECT pg_temp.holds('what was metered cannot be settled with nothing', coalesce(sum(output_tokens), 0) >= 70) FROM agent.usage WHERE turn_id = :'turn';
SELECT pg_temp.holds('the tenant sees its own ledger only', count(*) > 0 AND bool_and(tenant_id = 'mallory')) FROM agent.usage;
COMMIT;

-- Names that definer functions might look up in the wrong place.
CREATE TEMP TABLE prices (LIKE agent.usage);
CREATE TEMP TABLE budgets (tenant_id text, limit_picodollars bigint);
CREATE TEMP TABLE turns (tenant_id text, status text);
CREATE TEMP TABLE pg_timezone_names (name text);
CREATE FUNCTION pg_temp.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT '\x00'::bytea $$;
CREATE FUNCTION pg_temp.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT 'epoch'::timestamptz $$;
CREATE FUNCTION pg_temp.coalesce_price(bigint) RETURNS bigint LANGUAGE sql AS $$ SELECT 0::bigint $$;
CREATE FUNCTION pg_temp.greatest_of(bigint, bigint) RETURNS bigint LANGUAGE sql AS $$ SELECT 0::bigint $$;
CREATE FUNCTION pg_temp.octet_length(text) RETURNS int LANGUAGE sql AS $$ SELECT -1000000 $$;
CREATE FUNCTION pg_temp.lies(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
CREATE OPERATOR pg_temp.= (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_temp.lies);
SET search_path = pg_temp, tenancy, agent, pg_catalog;
SELECT (b.r).body ->> 'ticket' AS ticket, (b.r).body ->> 'turn_id' AS turn FROM (SELECT pg_temp.begin(:'token') AS r) b \gset
SELECT agent.end_turn(:'ticket', pg_temp.result(33)) \g /dev/null
RESET search_path;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token') \g /dev/null
SELECT pg_temp.holds('temporary objects and a search path of our own change no charge', count(*) = 1 AND sum(cost_picodollars) = 33000000 AND min(admitted_at) > now() - interval '1 minute')
FROM agent.usage WHERE turn_id = :'turn';
COMMIT;

-- Isolation levels and read-only transactions.
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT pg_temp.refused('a hold on an old snapshot', format('SELECT pg_temp.begin(%L)', :'token'), '0A000');
ROLLBACK;
BEGIN READ ONLY;
SELECT pg_temp.refused('a hold in a read-only transaction', format('SELECT pg_temp.begin(%L)', :'token'), '25006');
ROLLBACK;
