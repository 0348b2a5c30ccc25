-- A tenant's life: suspended in mid-stream, exported, erased with a receipt, and taken in by another database.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\set tables :test_dir '/sql/include/lifecycle.psql'
-- in databases of their own: a receipt is for ever
SET client_min_messages = warning;
DROP DATABASE IF EXISTS regress_life;
DROP DATABASE IF EXISTS regress_life_2;
CREATE DATABASE regress_life;
CREATE DATABASE regress_life_2;
\c regress_life
SET client_min_messages = warning;
CREATE EXTENSION pg_tenancy;
\i :setup
\set with_rows true
\i :tables
SELECT tenancy.set_price('m', 1, 1), tenancy.set_budget('acme', 'month', 100), tenancy.set_rate_limit('acme', 6000), tenancy.set_file_quota('acme', 1000),
    tenancy.set_retention('acme', feedback => '30 days') \g /dev/null

-- a running stream ends at its next metering once its tenant is suspended; what it used is charged
\c - regress_app
SELECT body ->> 'ticket' AS ticket FROM agent.begin_turn(:'token_acme_alice', '{"model": "m", "session_id": "s1", "max_tokens": 1000, "messages": [{"role": "user", "content": "x"}]}') \gset
SELECT body ->> 'ticket' AS globex_ticket FROM agent.begin_turn(:'token_globex_carol', '{"model": "m", "max_tokens": 1000, "messages": [{"role": "user", "content": "x"}]}') \gset
SELECT f.status AS file, w.status AS item FROM agent.create_file(:'token_acme_alice', '{"filename": "a.bin"}', '\x00ff') f,
    agent.create_work_item(:'token_acme_alice', '{"title": "t"}') w;
SELECT agent.meter_turn(:'ticket', 10) AS goes_on;
\c - :admin
SELECT tenancy.suspend_tenant('acme', 'leaves');
\c - regress_app
SELECT agent.meter_turn(:'ticket', 20) AS goes_on, agent.meter_turn(:'globex_ticket', 20) AS other_goes_on;
SELECT status, body #>> '{error,code}' AS code FROM agent.call('begin_turn', :'token_acme_alice', '{"model": "m", "messages": [{"role": "user", "content": "x"}]}', NULL);
SELECT status FROM agent.end_turn(:'ticket', '{"status": "aborted", "usage": {"prompt_tokens": 3, "completion_tokens": 25}}');
SELECT status FROM agent.end_turn(:'globex_ticket', '{"status": "ok", "message": {"role": "assistant", "content": "y"}, "usage": {"prompt_tokens": 3, "completion_tokens": 25}}');
\c - :admin
SELECT output_tokens, cost_picodollars > 0 AS charged FROM agent.usage WHERE tenant_id = 'acme';

-- an export is one statement's snapshot: a header, all rows, a footer that counts them
SELECT count(*) > 0 AS sealed FROM tenancy.seal_audit();
CREATE TABLE public.export AS SELECT * FROM tenancy.export_tenant('acme');
SELECT table_name, count(*) FROM public.export GROUP BY table_name ORDER BY table_name COLLATE "C";
SELECT line - '{exported_at,claims,rate_limits,file_quotas,budgets,retention,server_version}'::text[] AS header FROM public.export WHERE table_name = '#header';
SELECT bool_and((t.value ->> 'rows')::bigint = (SELECT count(*) FROM public.export e WHERE e.table_name = t.key)) AS counts_agree
    FROM public.export x, jsonb_each(x.line -> 'tables') t WHERE x.table_name = '#footer';
SELECT count(*) AS rows_of_others FROM public.export WHERE line ->> 'tenant_id' <> 'acme';
SELECT tenancy.export_tenant('nobody');
\copy public.export TO PROGRAM 'cat > /tmp/regress_life.export'

-- erased: only when suspended, by one session at a time, and resumable
CALL tenancy.erase_tenant('globex');
CALL tenancy.erase_tenant('nobody');
CALL tenancy.erase_tenant('acme', batch_rows => 0);
-- interrupted after some batches
CREATE FUNCTION public.keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER keep BEFORE DELETE ON life.orders FOR EACH ROW EXECUTE FUNCTION public.keep();
CALL tenancy.erase_tenant('acme', batch_rows => 1);
SELECT count(*) FROM life.a_lines WHERE tenant_id = 'acme';
SELECT finished_at IS NULL AS under_way, row_counts ->> 'life.a_lines' AS a_lines, receipt FROM tenancy.erasures;
SELECT claim_value FROM tenancy.tenant_claims WHERE tenant_id = 'acme';
DROP TRIGGER keep ON life.orders;
SET client_min_messages = warning;
CALL tenancy.erase_tenant('acme', batch_rows => 1);
RESET client_min_messages;
SELECT tenant_id, started_by = session_user AS by_me, keep_audit, audit_head IS NOT NULL AS head, row_counts, receipt = tenancy.receipt_of(e) AS receipt_holds FROM tenancy.erasures e;
SELECT (SELECT sum((tenancy.tenant_digest(t.relation, t.tenant_column, 'acme')).row_count) FROM tenancy.tenant_tables() t) AS rows_left,
    (SELECT count(*) FROM tenancy.tenants WHERE tenant_id = 'acme') AS tenants, (SELECT count(*) FROM tenancy.budgets WHERE tenant_id = 'acme') AS budgets,
    (SELECT count(*) FROM tenancy.rate_limits WHERE tenant_id = 'acme') AS rates, (SELECT count(*) FROM tenancy.file_quotas WHERE tenant_id = 'acme') AS quotas, (SELECT count(*) FROM tenancy.retention WHERE tenant_id = 'acme') AS retention;
SELECT bool_and(ok) FROM tenancy.verify_counters();
SELECT count(*) FROM life.orders WHERE tenant_id = 'globex';
SELECT bool_and(ok) FROM tenancy.verify_audit('globex');
-- and its name is not used again by accident, nor its data brought back
SELECT tenancy.add_tenant('acme', 'https://dev.issuer.example', 'acme');
INSERT INTO tenancy.tenant_claims VALUES ('https://dev.issuer.example', 'acme', 'acme');
SELECT tenancy.import_tenant('public.export');
CALL tenancy.erase_tenant('acme');
-- a tenant whose audit log has to be kept
SELECT tenancy.suspend_tenant('globex');
SET client_min_messages = warning;
CALL tenancy.erase_tenant('globex', keep_audit => true);
RESET client_min_messages;
SELECT row_counts ? 'agent.audit_log' AS audit_went, e.receipt = tenancy.receipt_of(e) AS receipt_holds FROM tenancy.erasures e WHERE tenant_id = 'globex';
SELECT tenancy.resume_tenant('globex');
SELECT action, reason = (SELECT e.receipt FROM tenancy.erasures e WHERE e.tenant_id = 'globex') AS receipt FROM agent.audit_log WHERE tenant_id = 'globex' ORDER BY audit_id DESC LIMIT 1;
SELECT count(*) FROM tenancy.seal_audit('globex');
SELECT bool_and(ok) FROM tenancy.verify_audit('globex');
DELETE FROM agent.audit_log WHERE tenant_id = 'globex';
-- receipts hang together
UPDATE tenancy.erasures SET row_counts = '{}' WHERE tenant_id = 'acme';
SELECT tenant_id, receipt = tenancy.receipt_of(e) AS receipt_holds FROM tenancy.erasures e ORDER BY finished_at;

-- nobody else may do any of this
\c - regress_app
SELECT tenancy.export_tenant('globex');
SELECT tenancy.import_tenant('agent.sessions');
CALL tenancy.erase_tenant('globex');
SELECT tenancy.begin_erasure('globex', false);
SELECT tenancy.erase_batch('globex', 1);
SELECT tenancy.apply_retention();
SELECT tenancy.set_retention();
SELECT * FROM tenancy.erasures;

-- another database takes it in
\c regress_life_2 :admin
SET client_min_messages = warning;
CREATE EXTENSION pg_tenancy;
RESET client_min_messages;
CREATE TEMP TABLE import (table_name text, line jsonb);
\copy import FROM '/tmp/regress_life.export'
SELECT tenancy.import_tenant('import');
\set with_rows false
\i :tables
SELECT tenancy.import_tenant('import');
\i :setup
SELECT tenancy.import_tenant('import');
SELECT tenancy.suspend_tenant('acme'); DELETE FROM tenancy.tenant_claims WHERE tenant_id = 'acme';
-- nothing of a file that was cut, changed, or that holds rows of others
BEGIN; DELETE FROM import WHERE table_name = '#footer'; SELECT tenancy.import_tenant('import'); ROLLBACK;
BEGIN; DELETE FROM import WHERE ctid = (SELECT min(ctid) FROM import WHERE table_name = 'life.a_lines'); SELECT tenancy.import_tenant('import'); ROLLBACK;
BEGIN; UPDATE import SET line = line || '{"plan": null}' WHERE table_name = 'life.orders'; SELECT tenancy.import_tenant('import'); ROLLBACK;
BEGIN; UPDATE import SET line = line || '{"tenant_id": "globex"}' WHERE table_name = 'life.events'; SELECT tenancy.import_tenant('import'); ROLLBACK;
BEGIN; UPDATE import SET line = jsonb_set(line, '{tables,life.orders,rows}', '1') WHERE table_name = '#footer'; SELECT tenancy.import_tenant('import'); ROLLBACK;
BEGIN; DELETE FROM life.plans; SELECT tenancy.import_tenant('import'); ROLLBACK;
BEGIN; ALTER TABLE life.orders DROP COLUMN plan; SELECT tenancy.import_tenant('import'); ROLLBACK;
-- a trigger that changes what comes in
BEGIN;
CREATE FUNCTION public.meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.what := 'y'; RETURN NEW; END $$;
CREATE TRIGGER meddle BEFORE INSERT ON life.events FOR EACH ROW EXECUTE FUNCTION public.meddle();
SELECT tenancy.import_tenant('import');
ROLLBACK;
SET TimeZone = 'Asia/Kolkata'; SET DateStyle = 'German'; SET IntervalStyle = 'iso_8601'; SET bytea_output = 'escape'; SET extra_float_digits = -5;
SELECT * FROM tenancy.import_tenant('import');
-- the same rows, by every value's text
SELECT table_name, count(*) FROM (
    (TABLE import EXCEPT ALL SELECT * FROM tenancy.export_tenant('acme')) UNION ALL (SELECT * FROM tenancy.export_tenant('acme') EXCEPT ALL TABLE import)) d
GROUP BY table_name ORDER BY table_name COLLATE "C";
SELECT action FROM agent.audit_log WHERE tenant_id = 'acme' ORDER BY audit_id DESC LIMIT 1;
SELECT status, reason, (SELECT q.max_bytes FROM tenancy.file_quotas q WHERE q.tenant_id = t.tenant_id) AS quota FROM tenancy.tenants t WHERE tenant_id = 'acme';
SELECT bool_and(ok) FROM tenancy.verify_audit('acme');
SELECT tenancy.import_tenant('import');
SELECT tenancy.resume_tenant('acme');
-- it goes on here: budgets count what was spent, sequences continue, retries of an ended turn are known
SELECT tenancy.set_price('m', 1, 1) \g /dev/null
\c - regress_app
SELECT status FROM agent.call('begin_turn', :'token_acme_alice', '{"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "x"}]}', NULL);
SELECT status, body ->> 'repeated' AS repeated FROM agent.end_turn(:'ticket', '{"status": "aborted", "usage": {"prompt_tokens": 3, "completion_tokens": 25}}');
\c - :admin
SELECT counter_picodollars > 0 AS spent, ok FROM tenancy.verify_counters() WHERE budget_id > 0;
INSERT INTO life.orders (tenant_id) VALUES ('acme') RETURNING id;
INSERT INTO life.a_lines (tenant_id) VALUES ('acme') RETURNING id;
SELECT rule, object FROM tenancy.check_isolation() WHERE severity IN ('critical', 'high') AND object !~ 'pg_catalog|plpgsql|language|sql to|DATABASE|SCHEMA';
\c contrib_regression
DROP DATABASE regress_life;
DROP DATABASE regress_life_2;
\! rm -f /tmp/regress_life.export
