-- The dispatcher: one call per request, a fixed list of routes, headers that are checked and never believed.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
TRUNCATE agent.sessions, agent.messages, agent.turns, agent.usage, agent.traces, agent.spans,
    agent.feedback;
\c - regress_app

-- the answer carries the verified tenant and subject
SELECT * FROM agent.call('create_session', :'token_acme_alice', '{"session_id": "s1"}', '{"request_id": "r1"}');
SELECT * FROM agent.call('get_session', :'token_globex_carol', '{"session_id": "s1"}', NULL);

-- every route is on the list
SELECT r.route, c.status FROM (VALUES ('create_session', '{}'), ('get_session', '{"session_id": "s1"}'), ('session_usage', '{"session_id": "s1"}'),
    ('fork_session', '{"session_id": "s1"}'), ('revert_session', '{"session_id": "s1", "to_message_index": 0}'), ('delete_session', '{"session_id": "s1"}'),
    ('list_traces', '{}'), ('get_trace', '{"trace_id": "t"}'), ('create_feedback', '{"rating": 1}'), ('update_feedback', '{"feedback_id": "f"}'),
    ('list_feedback', '{}'), ('feedback_stats', '{}'), ('list_audit', '{}'), ('begin_turn', '{"messages": [{"role": "user"}]}')) AS r(route, body)
CROSS JOIN LATERAL agent.call(r.route, :'token_acme_alice', r.body::jsonb, '{}') AS c;

-- what is not on it is not found
SELECT r.route, c.status, c.body FROM (VALUES ('end_turn'), ('agent.get_session'), ('get_session; DROP TABLE agent.sessions'), (''), (NULL)) AS r(route)
CROSS JOIN LATERAL agent.call(r.route, :'token_acme_alice', '{}', '{}') AS c;

-- a header that names the token's own tenant and subject is fine, any other is refused
SELECT h.request, c.status, c.body #>> '{error,code}' AS code, c.tenant_id, c.subject
FROM (VALUES ('{"x_tenant": "acme"}'), ('{"x_tenant": "acme", "x_auth_subject": "alice"}'), ('{"x_tenant": "globex"}'), ('{"x_tenant": ""}'),
    ('{"x_tenant": "ACME"}'), ('{"x_auth_subject": "bob"}'), ('{"x_tenant": "acme", "x_auth_subject": "bob"}'), ('{"x_tenant": null}')) AS h(request)
CROSS JOIN LATERAL agent.call('list_traces', :'token_acme_alice', '{"limit": "1"}', h.request::jsonb) AS c;

-- a refused header keeps the route from running
SELECT status, body FROM agent.call('create_session', :'token_acme_alice', '{"session_id": "s2"}', '{"x_tenant": "globex"}');
SELECT status FROM agent.call('get_session', :'token_acme_alice', '{"session_id": "s2"}', NULL);

-- request values of any length and content are no error
SELECT status FROM agent.call('list_traces', :'token_acme_alice', '{"limit": "1"}', jsonb_build_object('request_id', repeat(E'\t\u00e9x', 1000),
    'traceparent', repeat('0', 1000), 'model', E'm\n', 'instance_id', repeat('i', 1000)));
SELECT status FROM agent.call('list_traces', :'token_acme_alice', '{"limit": "1"}', '[7]');
SELECT status FROM agent.call('list_traces', :'token_acme_alice', '{"limit": "1"}', '{"request_id": {}, "model": 7}');
SELECT status FROM agent.call('get_session', :'token_acme_alice', '7', NULL);

-- the model that the server names is the one that will run; the client's name for it is a label
SELECT body ->> 'model' AS model FROM agent.call('begin_turn', :'token_acme_alice', '{"model": "cheap", "messages": [{"role": "user"}]}', '{"model": "m-large", "instance_id": "i-1"}');
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT model, model_label FROM agent.turns WHERE model IS NOT NULL;
COMMIT;

-- values of one request are not those of the next
SELECT body ->> 'model' AS model FROM agent.call('begin_turn', :'token_acme_alice', '{"messages": [{"role": "user"}]}', NULL);

-- messages that are no list are an answer, also to who asks the check itself
SELECT m.messages, agent.invalid_messages(m.messages::jsonb) FROM (VALUES ('"x"'), ('7'), ('{}'), ('null'), (NULL), ('[]'), ('[7]')) AS m(messages);

-- no route runs without a good token
SELECT agent.call('list_traces', NULL, '{}', NULL);
SELECT agent.call('list_traces', 'x', '{}', NULL);
SELECT agent.call('no_such_route', 'x', '{}', NULL);
SELECT agent.call('list_traces', 'x', '{}', '{"x_tenant": "acme"}');

-- a function that C++ calls and does not find, as before an update of the extension, is named
\c - :admin
\set VERBOSITY default
BEGIN;
SELECT agent.field_verdicts('{"since": "2026-01-01"}', '{"since": {"type": "time"}}');
ALTER FUNCTION agent.parse_time(text) RENAME TO parse_time_of_old;
SELECT agent.field_verdicts('{"since": "2026-01-01"}', '{"since": {"type": "time"}}');
ROLLBACK;
\set VERBOSITY terse
