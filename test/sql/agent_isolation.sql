-- The records of one tenant: out of every other tenant's reach and sight, by route and by plain SQL.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
TRUNCATE agent.sessions, agent.messages, agent.turns, agent.usage, agent.traces, agent.spans,
    agent.feedback, agent.files, agent.file_contents, agent.file_usage, agent.work_items;

-- every table has row security, forced, with the permissive policy and the wall and no other
SELECT c.relname AS table_name, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced, count(*) AS policies,
    bool_or(p.polpermissive AND p.polcmd = '*' AND p.polroles = '{0}' AND pg_get_expr(p.polqual, p.polrelid) = 'true'
        AND pg_get_expr(p.polwithcheck, p.polrelid) = 'true') AS all_rows,
    bool_or(NOT p.polpermissive AND p.polcmd = '*' AND p.polroles = '{0}'
        AND pg_get_expr(p.polqual, p.polrelid) ~ '^\(tenant_id = \( SELECT tenancy\.current_tenant\(\) AS current_tenant\)\)$'
        AND pg_get_expr(p.polwithcheck, p.polrelid) = pg_get_expr(p.polqual, p.polrelid)) AS wall
FROM pg_class AS c LEFT JOIN pg_policy AS p ON p.polrelid = c.oid
WHERE c.relnamespace = 'agent'::regnamespace AND c.relkind IN ('r', 'p', 'm', 'v', 'f')
GROUP BY c.oid ORDER BY c.relname;

-- every key and index starts with the tenant, on both sides of a reference
SELECT i.indexrelid::regclass AS index_that_mixes_tenants FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
WHERE c.relnamespace = 'agent'::regnamespace AND a.attname <> 'tenant_id';
SELECT k.conname AS key_that_mixes_tenants FROM pg_constraint AS k
JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
LEFT JOIN pg_attribute AS f ON f.attrelid = k.confrelid AND f.attnum = k.confkey[1]
WHERE k.connamespace = 'agent'::regnamespace AND k.contype IN ('p', 'u', 'f', 'x')
    AND (a.attname <> 'tenant_id' OR f.attname <> 'tenant_id');
SELECT a.attrelid::regclass AS table_with_another_tenant_column FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
WHERE c.relnamespace = 'agent'::regnamespace AND c.relkind = 'r' AND a.attname = 'tenant_id'
    AND (NOT a.attnotnull OR NOT a.atthasdef OR a.attcollation <> '"C"'::regcollation);

-- these functions, and no others, run with their owner's rights
SELECT p.oid::regprocedure AS definer FROM pg_proc AS p
WHERE p.pronamespace = 'agent'::regnamespace AND p.prosecdef ORDER BY p.oid::regprocedure::text COLLATE "C";

-- no body is resolved by the caller's search_path: parsed at creation, or pg_catalog first and pg_temp last
SELECT p.oid::regprocedure AS resolved_by_the_caller FROM pg_proc AS p
WHERE p.pronamespace = 'agent'::regnamespace AND p.prosqlbody IS NULL AND p.probin IS NULL
    AND NOT coalesce(p.proconfig, '{}') @> '{"search_path=pg_catalog, pg_temp"}';

-- every object is explained
SELECT p.oid::regprocedure AS function_without_comment FROM pg_proc AS p
WHERE p.pronamespace = 'agent'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL;
SELECT c.relname AS relation_without_comment FROM pg_class AS c
WHERE c.relnamespace = 'agent'::regnamespace AND c.relkind IN ('r', 'i', 'c') AND obj_description(c.oid, 'pg_class') IS NULL
    AND obj_description(c.reltype, 'pg_type') IS NULL AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = c.oid);
SELECT t.tgname AS trigger_without_comment FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'agent'::regnamespace AND NOT t.tgisinternal AND obj_description(t.oid, 'pg_trigger') IS NULL;

-- two tenants with one row or more in every table, under the same ids where they can choose
\c - regress_app
SELECT body ->> 'ticket' AS ticket_a FROM agent.begin_turn(:'token_acme_alice', '{"session_id": "same", "messages": [{"role": "user", "content": "acme"}]}') \gset
SELECT body ->> 'ticket' AS ticket_g FROM agent.begin_turn(:'token_globex_carol', '{"session_id": "same", "messages": [{"role": "user", "content": "globex"}]}') \gset
SELECT status FROM agent.end_turn(:'ticket_a', '{"status": "ok", "message": {"role": "assistant", "content": "to acme"}}');
SELECT status FROM agent.end_turn(:'ticket_g', '{"status": "ok", "message": {"role": "assistant", "content": "to globex"}}');
SELECT status FROM agent.create_feedback(:'token_acme_alice', '{"rating": 1}');
SELECT status FROM agent.create_feedback(:'token_globex_carol', '{"rating": 1}');
SELECT status FROM agent.create_session(:'token_globex_carol', '{"session_id": "globex-only"}');
\c - :admin
SELECT tenancy.set_file_quota(NULL);
\c - regress_app
SELECT status FROM agent.create_file(:'token_acme_alice', '{"filename": "a", "mime_type": "text/plain"}', 'acme');
SELECT status FROM agent.create_file(:'token_globex_carol', '{"filename": "g", "mime_type": "text/plain"}', 'globex');
SELECT status FROM agent.create_work_item(:'token_acme_alice', '{"title": "acme"}');
SELECT status FROM agent.create_work_item(:'token_globex_carol', '{"title": "globex"}');

-- without a tenant there is nothing to read or write
SELECT count(*) FROM agent.sessions;
SELECT count(*) FROM agent.audit_log;
INSERT INTO agent.sessions (tenant_id, session_id) VALUES ('acme', 'no-tenant');
DELETE FROM agent.sessions;

-- a tenant sees its own rows of every table and no others
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT t.name, t.own, t.foreign_ FROM (
    SELECT 'audit_log' AS name, count(*) FILTER (WHERE tenant_id = 'acme') > 0 AS own, count(*) FILTER (WHERE tenant_id <> 'acme') AS foreign_ FROM agent.audit_log UNION ALL
    SELECT 'feedback', count(*) FILTER (WHERE tenant_id = 'acme') > 0, count(*) FILTER (WHERE tenant_id <> 'acme') FROM agent.feedback UNION ALL
    SELECT 'files', count(*) FILTER (WHERE tenant_id = 'acme') > 0, count(*) FILTER (WHERE tenant_id <> 'acme') FROM agent.files UNION ALL
    SELECT 'file_contents', count(*) FILTER (WHERE tenant_id = 'acme') > 0, count(*) FILTER (WHERE tenant_id <> 'acme') FROM agent.file_contents UNION ALL
    SELECT 'work_items', count(*) FILTER (WHERE tenant_id = 'acme') > 0, count(*) FILTER (WHERE tenant_id <> 'acme') FROM agent.work_items UNION ALL
    SELECT 'messages', count(*) FILTER (WHERE tenant_id = 'acme') > 0, count(*) FILTER (WHERE tenant_id <> 'acme') FROM agent.messages UNION ALL
    SELECT 'sessions', count(*) FILTER (WHERE tenant_id = 'acme') > 0, count(*) FILTER (WHERE tenant_id <> 'acme') FROM agent.sessions UNION ALL
    SELECT 'spans', count(*) FILTER (WHERE tenant_id = 'acme') > 0, count(*) FILTER (WHERE tenant_id <> 'acme') FROM agent.spans UNION ALL
    SELECT 'traces', count(*) FILTER (WHERE tenant_id = 'acme') > 0, count(*) FILTER (WHERE tenant_id <> 'acme') FROM agent.traces UNION ALL
    SELECT 'turns', count(*) FILTER (WHERE tenant_id = 'acme') > 0, count(*) FILTER (WHERE tenant_id <> 'acme') FROM agent.turns UNION ALL
    SELECT 'usage', count(*) FILTER (WHERE tenant_id = 'acme') > 0, count(*) FILTER (WHERE tenant_id <> 'acme') FROM agent.usage) AS t
ORDER BY t.name;

-- it can write no row for another tenant, nor reach one that is there
SAVEPOINT here;
INSERT INTO agent.sessions (tenant_id, session_id) VALUES ('globex', 'planted');
ROLLBACK TO here;
INSERT INTO agent.feedback (tenant_id, rating) VALUES ('globex', 1);
ROLLBACK TO here;
INSERT INTO agent.sessions (session_id) VALUES ('globex-only') ON CONFLICT DO NOTHING;
UPDATE agent.sessions SET reverted_to = 0 WHERE tenant_id = 'globex';
UPDATE agent.feedback SET rating = -1 WHERE tenant_id = 'globex';
DELETE FROM agent.sessions WHERE tenant_id = 'globex';
DELETE FROM agent.feedback WHERE tenant_id = 'globex';
DELETE FROM agent.files WHERE tenant_id = 'globex';
ROLLBACK TO here;
UPDATE agent.sessions SET tenant_id = 'globex';
ROLLBACK TO here;

-- a fork of a foreign session fails like a fork of none
INSERT INTO agent.sessions (session_id, parent_session_id) VALUES ('spy', 'globex-only');
ROLLBACK TO here;
INSERT INTO agent.sessions (session_id, parent_session_id) VALUES ('spy', 'nobodys');
ROLLBACK TO here;
INSERT INTO agent.sessions (tenant_id, session_id, parent_session_id) VALUES ('globex', 'spy', 'globex-only');
ROLLBACK;

-- a turn that names a foreign session ends without touching it
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT ticket FROM agent.open_turn('globex-only', NULL, false, '[{"role": "user", "content": "planted"}]') \gset
COMMIT;
SELECT status FROM agent.end_turn(:'ticket', '{"status": "ok", "message": {"role": "assistant", "content": "planted"}, "usage": {"prompt_tokens": 1000}}');
SELECT body FROM agent.get_session(:'token_globex_carol', '{"session_id": "globex-only"}');
SELECT body ->> 'input_tokens' AS charged FROM agent.session_usage(:'token_globex_carol', '{"session_id": "globex-only"}');

-- a fork copies the tenant's own messages, and a revert cuts only those
SELECT body ->> 'session_id' AS fork FROM agent.fork_session(:'token_acme_alice', '{"session_id": "same"}') \gset
SELECT body -> 'messages' AS forked FROM agent.get_session(:'token_acme_alice', jsonb_build_object('session_id', :'fork'));
SELECT status FROM agent.revert_session(:'token_acme_alice', '{"session_id": "same", "to_message_index": 1}');

-- each tenant still has what it had
SELECT body -> 'messages' AS acme FROM agent.get_session(:'token_acme_alice', '{"session_id": "same"}');
SELECT status FROM agent.delete_session(:'token_acme_alice', '{"session_id": "same"}');
SELECT body -> 'messages' AS globex FROM agent.get_session(:'token_globex_carol', '{"session_id": "same"}');

-- within a transaction a second tenant's call is refused and the first tenant's rows stay out of it
BEGIN;
SELECT status FROM agent.get_session(:'token_acme_alice', '{"session_id": "x"}');
SELECT status FROM agent.get_session(:'token_globex_carol', '{"session_id": "same"}');
ROLLBACK;

\c - :admin
TRUNCATE tenancy.file_quotas;
