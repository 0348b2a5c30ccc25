-- The audit log: every effect and every refusal of a tenant, and nobody can write it otherwise.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
ALTER ROLE regress_app SET tenancy.guard = 'truncate'; -- the privilege is what is tested
TRUNCATE agent.sessions, agent.messages, agent.turns, agent.usage, agent.traces, agent.spans,
    agent.feedback;
\c - regress_app
\set remember 'SELECT coalesce(max(a.value ->> \'audit_id\'), \'0\') AS seen FROM agent.list_audit(:\'token_acme_alice\', NULL) AS l, jsonb_array_elements(l.body) AS a'
\set news 'SELECT a.value ->> \'action\' AS action, a.value ->> \'resource_type\' AS type, a.value ->> \'resource_id\' AS id, a.value ->> \'actor\' AS actor, a.value ->> \'outcome\' AS outcome, a.value ->> \'status\' AS status, a.value ->> \'reason\' AS reason, a.value ->> \'request_id\' AS request FROM agent.list_audit(:\'token_acme_alice\', NULL) AS l, jsonb_array_elements(l.body) WITH ORDINALITY AS a WHERE a.value ->> \'audit_id\' > :\'seen\' ORDER BY a.ordinality DESC'
\set seen 0

-- effects through the routes
SELECT count(*) AS calls FROM (VALUES
    (agent.call('create_session', :'token_acme_alice', '{"session_id": "s1"}', '{"request_id": "req-1"}')),
    (agent.call('revert_session', :'token_acme_alice', '{"session_id": "s1", "to_message_index": 0}', '{"request_id": "req-2"}')),
    (agent.call('delete_session', :'token_acme_alice', '{"session_id": "s1"}', NULL))) AS c;
:news;
:remember \gset

-- refusals through the routes
SELECT count(*) AS calls FROM (VALUES
    (agent.call('get_session', :'token_acme_alice', '{"session_id": "s1"}', '{"request_id": "req-3"}')),
    (agent.call('create_session', :'token_acme_alice', '{"session_id": "no/slash"}', NULL)),
    (agent.call('create_session', :'token_acme_alice', '{"session_id": "s2"}', NULL)),
    (agent.call('create_session', :'token_acme_alice', '{"session_id": "s2"}', NULL)),
    (agent.call('fork_session', :'token_acme_alice', '{"session_id": "s2", "from_message_index": 9}', NULL)),
    (agent.call('begin_turn', :'token_acme_alice', '{}', NULL)),
    (agent.call('list_traces', :'token_acme_alice', '{"limit": "x"}', NULL)),
    (agent.call('drop_table', :'token_acme_alice', NULL, NULL)),
    (agent.call('get_trace', :'token_acme_alice', '{"trace_id": "t1"}', '{"x_tenant": "globex"}'))) AS c;
:news;
:remember \gset

-- effects of plain SQL, row by row
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_bob');
INSERT INTO agent.sessions (session_id) VALUES ('s3'), ('s4');
INSERT INTO agent.sessions (session_id, parent_session_id) VALUES ('s5', 's3');
UPDATE agent.sessions SET reverted_to = 0 WHERE session_id = 's4';
DELETE FROM agent.sessions WHERE session_id >= 's3';
INSERT INTO agent.feedback (rating) VALUES (1);
UPDATE agent.feedback SET rating = -1;
DELETE FROM agent.feedback;
COMMIT;
SELECT regexp_replace(id, '[0-9a-f]{16}', '*') AS masked_id, action, actor, outcome FROM (:news) AS n;
:remember \gset

-- what is rolled back did not happen and is not on record
BEGIN;
SELECT status FROM agent.create_session(:'token_acme_alice', '{"session_id": "never"}');
ROLLBACK;
:news;

-- a turn is on record with its actor, tokens and trace, although end_turn sees no token
SELECT body ->> 'ticket' AS ticket, body ->> 'trace_id' AS trace FROM agent.call('begin_turn', :'token_acme_bob',
    '{"session_id": "s2", "messages": [{"role": "user", "content": "secret"}]}', '{"request_id": "req-9"}') \gset
SELECT status FROM agent.end_turn(:'ticket', '{"status": "ok", "message": {"role": "assistant", "content": "secret"}, "usage": {"prompt_tokens": 4, "completion_tokens": 2}}');
SELECT a.value ->> 'actor' AS actor, a.value ->> 'outcome' AS outcome, a.value ->> 'session_id' AS session, a.value ->> 'trace_id' = :'trace' AS trace,
    a.value ->> 'prompt_tokens' AS prompt, a.value ->> 'completion_tokens' AS completion, a.value ->> 'request_id' AS request,
    a.value ->> 'issuer' IS NOT NULL AS issuer,
    a.value::text LIKE '%secret%' AS content
    FROM agent.list_audit(:'token_acme_alice', '{"action": "chat.complete"}') AS l, jsonb_array_elements(l.body) AS a
    WHERE a.value ->> 'outcome' = 'allow';

-- the log is newest first, grows only, pages and filters
SELECT bool_and((a.value ->> 'audit_id')::bigint < a.before) AS falling, bool_and(a.value ->> 'occurred_at' ~ '\+00:00$') AS utc
FROM (SELECT e.value, lag((e.value ->> 'audit_id')::bigint, 1, 9223372036854775807) OVER (ORDER BY e.ordinality) AS before
    FROM agent.list_audit(:'token_acme_alice', '{"limit": "1000"}') AS l, jsonb_array_elements(l.body) WITH ORDINALITY AS e) AS a;
SELECT q.query, l.status, jsonb_array_length(l.body) AS entries
FROM (VALUES ('{"action": "session.create"}'), ('{"limit": "2"}'), ('{"limit": "2", "offset": "1"}'), ('{"since": "2001-01-01", "action": "session.delete"}'),
    ('{"until": "2001-01-01"}'), ('{"outcome": "error"}'), ('{"since": "2101-01-01"}')) AS q(query)
CROSS JOIN LATERAL agent.list_audit(:'token_acme_alice', q.query::jsonb) AS l;
SELECT q.query, l.status, l.body #>> '{detail,0,type}' AS type
FROM (VALUES ('{"since": "noon"}'), ('{"limit": "-1"}'), ('{"action": 7}'), ('{"outcome": "denied"}')) AS q(query)
CROSS JOIN LATERAL agent.list_audit(:'token_acme_alice', q.query::jsonb) AS l;

SELECT DISTINCT a.value ->> 'outcome' AS outcome
FROM agent.list_audit(:'token_acme_alice', '{"outcome": "deny", "limit": 1000}') AS l, jsonb_array_elements(l.body) AS a;

-- another tenant's log knows nothing of all this
SELECT body FROM agent.list_audit(:'token_globex_carol', NULL);

-- the application can add a refusal under the verified tenant and actor, and nothing else
SELECT agent.record_refusal('x.y', 'z', '1', 403, 'forged');
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_bob');
SELECT agent.record_refusal('x.y', 'z', repeat('i', 1000), 403, repeat('r', 1000)) \g /dev/null
SELECT tenant_id, actor, outcome, length(resource_id) AS id, length(reason) AS reason FROM agent.audit_log WHERE action = 'x.y';
SAVEPOINT here;
SELECT agent.record_refusal('x.y', 'z', '1', 200, 'allowed');
ROLLBACK TO here;
SELECT agent.record_refusal('not an action', 'z', '1', 403, 'r');
ROLLBACK TO here;
INSERT INTO agent.audit_log (audit_id, occurred_at, action, outcome) VALUES (1, now(), 'x.y', 'allow');
ROLLBACK TO here;
UPDATE agent.audit_log SET actor = 'nobody';
ROLLBACK TO here;
DELETE FROM agent.audit_log;
ROLLBACK TO here;
TRUNCATE agent.audit_log;
ROLLBACK TO here;
SELECT agent.append_audit(NULL);
ROLLBACK TO here;
SELECT agent.audit_entry('globex', 'x.y', 'z', '1');
ROLLBACK;

-- a clock that was set back does not turn the order around
\set QUIET on
\c - :admin
\set QUIET off
BEGIN;
INSERT INTO agent.audit_log (tenant_id, audit_id, occurred_at, action, outcome) VALUES ('acme', 8000000000000000, '2223-07-06', 'x.future', 'allow');
SET LOCAL ROLE regress_app;
SELECT status FROM agent.create_session(:'token_acme_alice', '{"session_id": "afterwards"}');
SELECT audit_id, action FROM agent.audit_log WHERE audit_id >= 8000000000000000 ORDER BY audit_id;
ROLLBACK;

-- and the ids of one tenant tell nothing about another's
BEGIN;
INSERT INTO agent.audit_log (tenant_id, audit_id, occurred_at, action, outcome) VALUES ('acme', 8000000000000000, '2223-07-06', 'x.future', 'allow');
SET LOCAL ROLE regress_app;
SELECT status FROM agent.create_session(:'token_globex_carol', '{"session_id": "meanwhile"}');
SELECT count(*) AS moved_up FROM agent.audit_log WHERE audit_id >= 8000000000000000;
ROLLBACK;
