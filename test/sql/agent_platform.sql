-- What a client keeps by itself: whole histories, labels, its own traces. Labels are worth nothing to the ledger.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
TRUNCATE agent.sessions, agent.messages, agent.turns, agent.usage, agent.traces, agent.spans,
    agent.feedback;
\c - regress_app

-- PUT makes a session, and replaces what one holds
SELECT status, body FROM agent.put_session(:'token_acme_alice', '{"session_id": "s1", "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}');
SELECT body FROM agent.get_session(:'token_acme_bob', '{"session_id": "s1"}');
SELECT status FROM agent.put_session(:'token_acme_alice', '{"session_id": "s1", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,x"}}]}]}');
SELECT body FROM agent.get_session(:'token_acme_alice', '{"session_id": "s1"}');
SELECT status FROM agent.put_session(:'token_acme_alice', '{"session_id": "empty", "messages": []}');

-- another tenant's session of that name is another session
SELECT status FROM agent.put_session(:'token_globex_carol', '{"session_id": "s1", "messages": []}');
SELECT jsonb_array_length(body -> 'messages') AS acme FROM agent.get_session(:'token_acme_alice', '{"session_id": "s1"}');

-- a turn that runs meanwhile appends to the new history
SELECT body ->> 'ticket' AS ticket FROM agent.begin_turn(:'token_acme_alice', '{"session_id": "s1", "messages": [{"role": "user", "content": "c"}]}') \gset
SELECT status FROM agent.put_session(:'token_acme_alice', '{"session_id": "s1", "messages": [{"role": "user", "content": "fresh"}]}');
SELECT status FROM agent.end_turn(:'ticket', '{"status": "ok", "message": {"role": "assistant", "content": "d"}, "usage": {"prompt_tokens": 3, "completion_tokens": 2}}');
SELECT m ->> 'content' AS content FROM agent.get_session(:'token_acme_alice', '{"session_id": "s1"}'), jsonb_array_elements(body -> 'messages') AS m;

-- what is wrong is named
SELECT q.body AS sent, r.status, d ->> 'type' AS type, d -> 'loc' AS loc
FROM (VALUES ('{"session_id": "s1"}'), ('{"session_id": "a b", "messages": []}'), ('{"session_id": "s1", "messages": {}}'), ('{"session_id": "s1", "messages": [7]}'),
    ('{"session_id": "s1", "messages": [{"role": "user", "content": 7}]}'), ('[]'), ('{"session_id": "s1", "messages": [{"role": "assistant", "tool_calls": [{"id": 7, "function": {"name": 1, "arguments": {}}}, "x"]}]}')) AS q(body)
CROSS JOIN LATERAL agent.put_session(:'token_acme_alice', q.body::jsonb) AS r CROSS JOIN LATERAL jsonb_array_elements(r.body -> 'detail') AS d;

-- PATCH merges labels by name and answers with the messages
SELECT status, body FROM agent.patch_session(:'token_acme_alice', '{"session_id": "empty", "cost_data": {"model": "m", "input_tokens": 5}}');
SELECT status FROM agent.patch_session(:'token_acme_alice', '{"session_id": "empty", "cost_data": {"input_tokens": 9, "extra": {"a": 1}}}');
SELECT status FROM agent.patch_session(:'token_acme_alice', '{"session_id": "empty", "cost_data": null}');
SELECT body FROM agent.session_cost_data(:'token_acme_alice', '{"session_id": "empty"}');
SELECT status, body FROM agent.patch_session(:'token_globex_carol', '{"session_id": "empty", "cost_data": {}}');
SELECT status, body FROM agent.session_cost_data(:'token_globex_carol', '{"session_id": "empty"}');
SELECT status, body #> '{detail,0,loc}' AS loc FROM agent.patch_session(:'token_acme_alice', '{"session_id": "empty", "cost_data": 7}');
SELECT status, body #> '{detail,0,loc}' AS loc, body #>> '{detail,0,msg}' AS msg FROM agent.patch_session(:'token_acme_alice', jsonb_build_object('session_id', 'empty', 'cost_data', jsonb_build_object('x', repeat('x', 20000))));

-- labels change neither usage nor ledger nor what an earlier revert kept
SELECT status FROM agent.revert_session(:'token_acme_alice', '{"session_id": "s1", "to_message_index": 1}');
SELECT status FROM agent.put_session(:'token_acme_alice', '{"session_id": "s1", "messages": [{"role": "user"}, {"role": "assistant"}]}');
SELECT status, jsonb_array_length(body -> 'messages') AS kept FROM agent.patch_session(:'token_acme_alice', '{"session_id": "s1", "cost_data": {"input_tokens": 0, "turn_count": 0, "model": "cheap"}}');
SELECT body -> 'input_tokens' AS input, body -> 'turn_count' AS turns, body -> 'model' AS model FROM agent.session_usage(:'token_acme_alice', '{"session_id": "s1"}');

-- a trace of the client's own, with its times as they came
SELECT status, body FROM agent.create_trace(:'token_acme_alice', '{"trace_id": "t1", "started_at": "2026-01-02T03:04:05Z", "ended_at": "2026-01-02T03:04:06.5Z", "model": "m", "session_id": "s1", "status": "ok", "spans": [
    {"span_id": "a", "trace_id": "other", "name": "request", "start_time": 12.5, "end_time": 13.75, "status": "ok", "attributes": {"k": 1e20}, "events": [{"name": "e"}]},
    {"span_id": "b", "parent_span_id": "a", "name": "model_call", "start_time": 12.6, "attributes": {"prompt_tokens": 7, "completion_tokens": 1.5}},
    {"span_id": "c", "parent_span_id": "a", "name": "tool:look", "start_time": 12.7, "attributes": {"prompt_tokens": "9"}}]}');
SELECT jsonb_pretty(body) AS trace FROM agent.get_trace(:'token_acme_bob', '{"trace_id": "t1"}');

-- its recorder may send it again; another subject may not, nor may anyone touch the trace of a turn
SELECT status FROM agent.create_trace(:'token_acme_alice', '{"trace_id": "t1", "status": "error", "spans": [{"span_id": "z", "name": "n", "start_time": 0}]}');
SELECT body -> 'status' AS status, body #> '{spans,0,span_id}' AS span FROM agent.get_trace(:'token_acme_alice', '{"trace_id": "t1"}');
SELECT status, body FROM agent.create_trace(:'token_acme_bob', '{"trace_id": "t1", "spans": []}');
SELECT body ->> 'trace_id' AS turns_trace FROM agent.begin_turn(:'token_acme_alice', '{"messages": [{"role": "user"}]}') \gset
SELECT status FROM agent.create_trace(:'token_acme_alice', jsonb_build_object('trace_id', :'turns_trace', 'spans', '[]'::jsonb));
SELECT status FROM agent.create_trace(:'token_globex_carol', '{"trace_id": "t1", "spans": []}');
SELECT body -> 'span_count' AS acme_has, jsonb_array_length(body -> 'spans') AS spans FROM agent.get_trace(:'token_acme_alice', '{"trace_id": "t1"}');

-- a trace that was recorded cannot be had by a turn: it gets an id of its own
BEGIN;
SET LOCAL tenancy.traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
SELECT status FROM agent.create_trace(:'token_acme_bob', '{"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "spans": []}');
SELECT body ->> 'trace_id' ~ '^trace_' AS own FROM agent.begin_turn(:'token_acme_alice', '{"messages": [{"role": "user"}]}');
COMMIT;

SELECT q.trace AS sent, r.status, d ->> 'type' AS type, d -> 'loc' AS loc
FROM (VALUES ('{}'), ('{"trace_id": "a/b", "spans": []}'), ('{"trace_id": "t", "spans": {}}'), ('{"trace_id": "t", "spans": [1, null]}'),
    ('{"trace_id": "t", "spans": [{"span_id": "a", "name": "x", "start_time": 1}, {"span_id": "a", "name": "x", "start_time": 1}]}'),
    ('{"trace_id": "t", "spans": [{"span_id": "a", "name": 7, "start_time": 1e300, "end_time": -1, "status": "fine", "attributes": [], "events": {}}]}'),
    ('{"trace_id": "t", "started_at": "yesterday", "status": "open", "model": 7, "session_id": "a b", "spans": []}')) AS q(trace)
CROSS JOIN LATERAL agent.create_trace(:'token_acme_alice', q.trace::jsonb) AS r CROSS JOIN LATERAL jsonb_array_elements(r.body -> 'detail') AS d;

-- plain SQL may set labels, too, and nothing else that is new
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
UPDATE agent.sessions SET cost_data = '{"by": "sql"}';
UPDATE agent.sessions SET cost_data = '[]';
ROLLBACK;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
UPDATE agent.sessions SET next_seq = 0;
ROLLBACK;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
INSERT INTO agent.traces (trace_id) VALUES ('x');
ROLLBACK;

-- feedback by its id, of one's own tenant
SELECT body ->> 'feedback_id' AS feedback FROM agent.create_feedback(:'token_acme_alice', '{"rating": -1, "trace_id": "t1", "user_id": "mallory"}') \gset
SELECT status, body ->> 'user_id' AS author, body -> 'rating' AS rating FROM agent.get_feedback(:'token_acme_bob', jsonb_build_object('feedback_id', :'feedback'));
SELECT status FROM agent.get_feedback(:'token_globex_carol', jsonb_build_object('feedback_id', :'feedback'));

-- what is wrong with very many elements is told of the first hundred
BEGIN;
SELECT r.route, c.status, jsonb_array_length(c.body -> 'detail') AS told, c.body #> '{detail,99,loc}' AS loc
FROM (VALUES ('begin_turn', 'messages'), ('put_session', 'messages'), ('create_trace', 'spans')) AS r(route, list)
CROSS JOIN LATERAL agent.call(r.route, :'token_acme_alice', jsonb_build_object('session_id', 's1', 'trace_id', 't9',
    r.list, (SELECT jsonb_agg(1) FROM generate_series(1, 2000))), '{}') AS c;
ROLLBACK;

-- what this server does not have
SELECT r.route, c.status, c.body FROM (VALUES ('agent_trust'), ('agent_skills'), ('agent_capabilities'), ('agent_maturation')) AS r(route)
CROSS JOIN LATERAL agent.call(r.route, :'token_acme_alice', '{}', '{}') AS c;

-- every write is on record
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT action, outcome, count(*) FROM agent.audit_log WHERE action ~ '^(session|trace|agent)' GROUP BY 1, 2 ORDER BY 1, 2;
COMMIT;
