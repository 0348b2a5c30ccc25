-- Retention: what is older than a tenant's age goes, in batches and on record; what is open or counts in a budget stays.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
SET client_min_messages = warning;
TRUNCATE agent.sessions, agent.turns, agent.usage, agent.traces, agent.feedback, agent.files, agent.file_usage, agent.work_items CASCADE;
DELETE FROM tenancy.budgets;
DELETE FROM tenancy.prices;
DELETE FROM tenancy.retention;
RESET client_min_messages;
SELECT tenancy.set_price('m', 1, 1), tenancy.set_budget('acme', 'total', 100) \g /dev/null

SELECT tenancy.set_retention('nobody', sessions => '1 day');
SELECT tenancy.set_retention('acme', sessions => '-1 day');
SELECT tenancy.apply_retention(0);
SELECT * FROM tenancy.retention_rules();
-- the default of all, what one tenant has of its own, and 0 for ever
SELECT tenancy.set_retention(sessions => '7 days', traces => '7 days', feedback => '30 days', files => '30 days', work_items => '30 days');
SELECT tenancy.set_retention('acme', traces => '1 day', feedback => '0', audit => '90 days', files => '1 day', work_items => '1 day');
SELECT * FROM tenancy.retention_rules() WHERE tenant_id IN ('acme', 'globex') ORDER BY 1, 2;

-- two turns of acme, one still open, in old sessions; sessions without turns, old and new, of both
\c - regress_app
SELECT body ->> 'ticket' AS ticket FROM agent.begin_turn(:'token_acme_alice', '{"model": "m", "session_id": "ended", "max_tokens": 1000, "messages": [{"role": "user", "content": "x"}]}') \gset
SELECT body ->> 'ticket' AS open_ticket FROM agent.begin_turn(:'token_acme_alice', '{"model": "m", "session_id": "open", "max_tokens": 1000, "messages": [{"role": "user", "content": "x"}]}') \gset
SELECT status FROM agent.end_turn(:'ticket', '{"status": "ok", "message": {"role": "assistant", "content": "y"}, "usage": {"prompt_tokens": 3, "completion_tokens": 25}}');
\c - :admin
INSERT INTO agent.sessions (tenant_id, session_id, updated_at) SELECT t, 'old' || i, now() - interval '8 days' FROM unnest('{acme,globex}'::text[]) t, generate_series(1, 3) i;
INSERT INTO agent.sessions (tenant_id, session_id, updated_at) SELECT t, 'new', now() - interval '6 days' FROM unnest('{acme,globex}'::text[]) t;
INSERT INTO agent.feedback (tenant_id, rating, user_id, created_at) SELECT t, 1, 'u', now() - interval '31 days' FROM unnest('{acme,globex}'::text[]) t;
UPDATE agent.sessions SET updated_at = now() - interval '8 days' WHERE session_id IN ('open', 'ended');
UPDATE agent.traces SET started_at = now() - interval '2 days';
UPDATE agent.turns AS u SET started_at = t.started_at FROM agent.traces AS t WHERE t.tenant_id = u.tenant_id AND t.trace_id = u.trace_id;
UPDATE agent.turns SET ended_at = now() - interval '2 days' WHERE status <> 'open';
-- files, two days and an hour old; work items of all states, two days old, and one that was completed now
INSERT INTO agent.files (tenant_id, file_id, user_id, filename, mime_type, size_bytes, sha256, parse_status, created_at)
    SELECT t, f, 'u', f, 'text/plain', 5, repeat('0', 64), 'completed', now() - age FROM unnest('{acme,globex}'::text[]) t, (VALUES ('file_old', interval '2 days'), ('file_new', '1 hour')) v (f, age);
INSERT INTO agent.file_contents (tenant_id, file_id, content) SELECT tenant_id, file_id, 'bytes' FROM agent.files;
INSERT INTO agent.file_usage VALUES ('acme', 2, 10), ('globex', 2, 10) ON CONFLICT ON CONSTRAINT file_usage_pkey DO UPDATE SET files = 2, bytes = 10;
INSERT INTO agent.work_items (tenant_id, id, title, created_by, created_by_issuer, status, lease_expires_at, updated_at)
    SELECT t, 'wi_' || s, s, 'u', 'i', s, CASE s WHEN 'checked_out' THEN now() - interval '1 day' END, now() - interval '2 days'
    FROM unnest('{acme,globex}'::text[]) t, unnest('{available,checked_out,completed,failed,review_pending,blocked}'::text[]) s;
INSERT INTO agent.work_items (tenant_id, id, title, created_by, created_by_issuer, status, created_at) VALUES ('acme', 'wi_late', 'x', 'u', 'i', 'completed', now() - interval '9 days');
INSERT INTO agent.traces (tenant_id, trace_id, started_at, status) VALUES ('globex', 'kept', now() - interval '2 days', 'ok');

-- a batch removes no more than it may, all batches together all that is old
SELECT sum(removed) <= 2 AS a_batch FROM tenancy.apply_retention(2);
SELECT bool_and(removed > 0) AS all_the_rest FROM tenancy.apply_retention();
SELECT * FROM tenancy.apply_retention();
SELECT tenant_id, session_id FROM agent.sessions ORDER BY 1, 2;
SELECT tenant_id, status FROM agent.traces ORDER BY 1, 2;
SELECT tenant_id, status FROM agent.turns ORDER BY 1, 2;
SELECT tenant_id FROM agent.feedback;
SELECT tenant_id, string_agg(file_id, ' ' ORDER BY file_id) AS files FROM agent.files JOIN agent.file_contents USING (tenant_id, file_id) GROUP BY 1 ORDER BY 1;
SELECT * FROM agent.file_usage ORDER BY 1;
SELECT tenant_id, string_agg(id, ' ' ORDER BY id) AS work_items FROM agent.work_items GROUP BY 1 ORDER BY 1;
SELECT resource_type, sum(split_part(reason, ' ', 1)::int) AS removed, min(regexp_replace(reason, '^\d+ ', '')) AS why
    FROM agent.audit_log WHERE action = 'retention.purge' AND tenant_id = 'acme' GROUP BY 1 ORDER BY 1;
SELECT resource_type, sum(split_part(reason, ' ', 1)::int) AS removed FROM agent.audit_log WHERE action = 'retention.purge' AND tenant_id = 'globex' GROUP BY 1 ORDER BY 1;

-- one-time tokens that were used, and revocations, go once their tokens are dead, in batches of their own, and nothing else does
INSERT INTO tenancy.used_tokens SELECT 'https://dev.issuer.example', 'dead' || i, now() - interval '6 min' FROM generate_series(1, 25) i;
INSERT INTO tenancy.used_tokens VALUES ('https://dev.issuer.example', 'alive', now() - interval '4 min');
SELECT tenancy.revoke_token('https://dev.issuer.example', 'dead', now() - interval '6 min'), tenancy.revoke_token('https://dev.issuer.example', 'alive', now() - interval '4 min'),
    tenancy.revoke_subject('https://dev.issuer.example', 'always', now()) IS NOT NULL AS revoked;
SELECT * FROM tenancy.apply_retention(1);
SELECT * FROM tenancy.apply_retention(1);
SELECT * FROM tenancy.apply_retention();
SELECT * FROM tenancy.apply_retention();
SELECT (SELECT string_agg(jti, ' ') FROM tenancy.used_tokens) AS used, (SELECT string_agg(jti, ' ') FROM tenancy.revoked_tokens WHERE jti IN ('dead', 'alive')) AS revoked,
    (SELECT count(*) FROM tenancy.revoked_subjects WHERE subject = 'always') AS subjects;
DELETE FROM tenancy.used_tokens;
DELETE FROM tenancy.revoked_tokens WHERE jti = 'alive';
DELETE FROM tenancy.revoked_subjects WHERE subject = 'always';

-- the ledger is whole: what was spent still counts, and the open turn ends as ever
SELECT count(*) FROM agent.usage WHERE tenant_id = 'acme';
SELECT ok FROM tenancy.verify_counters() WHERE tenant_id = 'acme' AND budget_id > 0;
\c - regress_app
SELECT status FROM agent.end_turn(:'open_ticket', '{"status": "ok", "message": {"role": "assistant", "content": "y"}, "usage": {"prompt_tokens": 3, "completion_tokens": 25}}');
\c - :admin
SELECT count(*) = 2 AS charged FROM agent.usage WHERE tenant_id = 'acme';

-- audit rows go by whole seals; the chain verifies across the cut, and the cut is in it
SELECT agent.audit_operation('acme', 'x.test', 'row', i::text, NULL) FROM generate_series(1, 3) i \g /dev/null
SELECT count(*) AS seals FROM tenancy.seal_audit('acme');
SELECT agent.audit_operation('acme', 'x.test', 'row', i::text, NULL) FROM generate_series(4, 5) i \g /dev/null
SELECT count(*) AS seals FROM tenancy.seal_audit('acme');
SELECT agent.audit_operation('acme', 'x.test', 'unsealed', '6', NULL) \g /dev/null
SELECT kind, removed FROM tenancy.apply_retention();
SELECT tenancy.set_retention('acme', sessions => '0', traces => '0', feedback => '0', audit => '1 microsecond', files => '0', work_items => '0');
SELECT tenant_id, kind FROM tenancy.apply_retention(1);
SELECT seal_no, purged_at IS NOT NULL AS purged, purge_reason FROM agent.audit_seals WHERE tenant_id = 'acme' ORDER BY 1;
SELECT * FROM tenancy.verify_audit('acme');
SELECT tenant_id, kind FROM tenancy.apply_retention();
SELECT seal_no, purged_at IS NOT NULL AS purged FROM agent.audit_seals WHERE tenant_id = 'acme' ORDER BY 1;
SELECT action, resource_type, resource_id FROM agent.audit_log WHERE tenant_id = 'acme' ORDER BY audit_id;
SELECT tenancy.set_retention('acme', audit => '0');
SELECT row_count FROM tenancy.seal_audit('acme');
SELECT * FROM tenancy.verify_audit('acme');
-- what is put back, or a purged seal that is changed, shows
SET session_replication_role = replica;
BEGIN;
INSERT INTO agent.audit_log (tenant_id, audit_id, occurred_at, action, outcome) SELECT 'acme', first_audit_id, now(), 'x.forged', 'allow' FROM agent.audit_seals WHERE tenant_id = 'acme' AND seal_no = 1;
SELECT seal_no, ok, problem FROM tenancy.verify_audit('acme');
ROLLBACK;
BEGIN;
UPDATE agent.audit_seals SET row_count = row_count + 1 WHERE tenant_id = 'acme' AND seal_no = 1;
SELECT seal_no, ok, problem FROM tenancy.verify_audit('acme');
ROLLBACK;
RESET session_replication_role;
DELETE FROM tenancy.retention;
DELETE FROM agent.files;
DELETE FROM agent.file_usage;
DELETE FROM agent.work_items;
DELETE FROM tenancy.budgets;
DELETE FROM tenancy.prices;
