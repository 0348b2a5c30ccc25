-- Turns: begin_turn hands out a ticket, end_turn settles exactly the turn that the ticket names, once.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
TRUNCATE agent.sessions, agent.messages, agent.turns, agent.usage, agent.traces, agent.spans,
    agent.feedback;
\c - regress_app
\set answer '{"status": "ok", "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}, "model": "m-large", "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10, "reasoning_tokens": 2}, "estimated": false, "stream": false, "stream_metrics": {"total_time": 0.5}, "error": null}'

-- a turn in an unknown session creates the session; the prompt is the history and the new messages
SELECT status, headers ->> 'X-Trace-Id' = body ->> 'trace_id' AS trace_in_header, body ->> 'ticket' AS ticket,
    body ->> 'turn_id' AS turn, body ->> 'trace_id' AS trace, body - '{ticket,turn_id,trace_id}'::text[] AS rest
    FROM agent.begin_turn(:'token_acme_alice', '{"model": "label", "session_id": "chat", "unknown": 1, "tools": [],
    "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]}') \gset
\echo :status :trace_in_header :rest
SELECT :'turn' ~ '^turn_[0-9a-f]{16}$' AS turn_id, :'trace' ~ '^trace_[0-9a-f]{16}$' AS trace_id,
    :'ticket' ~ '^[0-9a-f]{64}\.acme$' AS ticket;

-- nothing is in the session until the turn ends
SELECT body -> 'messages' AS messages FROM agent.get_session(:'token_acme_alice', '{"session_id": "chat"}');

-- a malformed result is 422 and leaves the ticket good
SELECT r.result, e.status, e.body #> '{detail,0,loc}' AS loc, e.body #>> '{detail,0,type}' AS type
FROM (VALUES (NULL), ('7'), ('{}'), ('{"status": "fine"}'), ('{"status": "ok"}'),
    ('{"status": "ok", "message": "hello"}'), ('{"status": "ok", "message": {"role": "user"}}'),
    ('{"status": "ok", "message": {"content": "x"}}'),
    ('{"status": "error", "usage": 7}'), ('{"status": "error", "usage": {"prompt_tokens": -1}}'),
    ('{"status": "error", "usage": {"completion_tokens": 1.5}}'), ('{"status": "error", "usage": {"prompt_tokens": 1e15}}'),
    ('{"status": "error", "error": "boom"}')) AS r(result)
CROSS JOIN LATERAL agent.end_turn(:'ticket', r.result::jsonb) AS e;

-- the ticket settles its turn without any token
SELECT status, body - 'used_tokens' = jsonb_build_object('turn_id', :'turn', 'trace_id', :'trace', 'repeated', false,
    'charged_picodollars', NULL, 'overrun', false, 'late', false) AS settled,
    body -> 'used_tokens' AS used_tokens
    FROM agent.end_turn(:'ticket', :'answer');
SELECT body -> 'messages' AS messages FROM agent.get_session(:'token_acme_alice', '{"session_id": "chat"}');

-- a retry changes nothing and says so, whatever it brings
SELECT status, body = jsonb_build_object('turn_id', :'turn', 'trace_id', :'trace', 'repeated', true,
    'used_tokens', NULL, 'charged_picodollars', NULL, 'overrun', false, 'late', false) AS repeated
    FROM agent.end_turn(:'ticket', :'answer');
SELECT status, body ->> 'repeated' AS repeated FROM agent.end_turn(:'ticket', '{"status": "nonsense"}');
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT (SELECT count(*) FROM agent.messages) AS messages, (SELECT count(*) FROM agent.usage) AS charges,
    (SELECT count(*) FROM agent.spans) AS spans, (SELECT count(*) FROM agent.audit_log WHERE action = 'chat.complete') AS audited;
SELECT model, input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, requests, cost_picodollars,
    subject, session_id, estimated, late, overrun FROM agent.usage;
SELECT status, ended_at >= started_at AS ended, input IS NULL AS input_gone, subject, model, model_label FROM agent.turns;
COMMIT;

-- a ticket that never was, of another tenant, cut or empty is unknown
SELECT t.what, e.status, e.body FROM (VALUES ('never', repeat('0', 64) || '.acme'), ('tenant', replace(:'ticket', '.acme', '.globex')),
    ('cut', left(:'ticket', 64)), ('empty', ''), ('none', NULL)) AS t(what, ticket)
CROSS JOIN LATERAL agent.end_turn(t.ticket, :'answer') AS e ORDER BY t.what;

-- bad requests are 422, and the turn is not opened
SELECT r.request, e.status, e.body #> '{detail,0,loc}' AS loc, e.body #>> '{detail,0,type}' AS type, e.body #>> '{error,code}' AS code
FROM (VALUES (1, NULL), (2, '[]'), (3, '{}'), (4, '{"messages": []}'), (5, '{"messages": "hi"}'), (6, '{"messages": ["hi"]}'),
    (7, '{"messages": [{"role": "user", "content": "x"}, {"content": "x"}]}'), (8, '{"messages": [{"role": "root"}]}'),
    (9, '{"messages": [{"role": "user", "content": 7}]}'), (10, '{"messages": [{"role": "user", "content": [{"type": "text"}]}]}'),
    (11, '{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}'),
    (12, '{"messages": [{"role": "assistant", "tool_calls": {}}]}'), (13, '{"messages": [{"role": "tool", "tool_call_id": 1}]}'),
    (14, '{"messages": [{"role": "user"}], "session_id": "no/slash"}'), (15, '{"messages": [{"role": "user"}], "stream": "yes"}'),
    (16, '{"messages": [{"role": "user"}], "max_tokens": 0}'), (17, '{"messages": [{"role": "user"}], "temperature": "hot"}'),
    (18, '{"messages": [{"role": "user"}], "model": {}}'), (19, '{"messages": [{"role": ["user"], "content": "x"}]}'),
    (20, '{"messages": [[{"role": "user", "content": "x"}]]}'), (21, '{"messages": [{"role": "user", "content": "x", "name": 7}]}'),
    (22, '{"messages": [{"role": "user", "content": "x", "tool_calls": {}}]}'),
    (23, '{"messages": [{"role": "user", "content": "x", "tool_call_id": 7}]}')) AS r(n, request)
CROSS JOIN LATERAL agent.begin_turn(:'token_acme_alice', r.request::jsonb) AS e ORDER BY r.n;
SELECT status FROM agent.begin_turn(:'token_acme_alice', '{"messages": [{"role": "user", "content": [{"type": "text", "text": "what is it?"},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}, {"type": "input_audio"}]},
    {"role": "assistant", "content": null, "tool_calls": [{"id": "c1"}]}, {"role": "tool", "tool_call_id": "c1", "content": "4"}]}');
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT count(*) AS turns FROM agent.turns;
COMMIT;

-- a turn without a session keeps no message but is on the ledger
SELECT body ->> 'ticket' AS ticket, body -> 'session_id' AS session FROM agent.begin_turn(:'token_acme_alice',
    '{"messages": [{"role": "user", "content": "once"}]}') \gset
\echo :session
SELECT status FROM agent.end_turn(:'ticket', :'answer');
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT count(*) AS messages FROM agent.messages;
SELECT count(*) AS charges, sum(input_tokens) AS input FROM agent.usage;
COMMIT;

-- an aborted turn keeps what was produced; a failed one that produced nothing keeps nothing; both are charged
SELECT body ->> 'ticket' AS ticket FROM agent.begin_turn(:'token_acme_alice',
    '{"session_id": "broken", "messages": [{"role": "user", "content": "tell"}]}') \gset
SELECT status FROM agent.end_turn(:'ticket', '{"status": "aborted", "message": {"role": "assistant", "content": "once up"},
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "cached_tokens": 99}, "estimated": true}');
SELECT body ->> 'ticket' AS ticket FROM agent.begin_turn(:'token_acme_alice',
    '{"session_id": "broken", "messages": [{"role": "user", "content": "again"}]}') \gset
SELECT status FROM agent.end_turn(:'ticket', '{"status": "error", "message": null, "usage": null,
    "error": {"type": "UpstreamTimeout", "message": "no answer"}}');
SELECT body -> 'messages' AS messages FROM agent.get_session(:'token_acme_alice', '{"session_id": "broken"}');
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT t.status, u.input_tokens, u.cached_input_tokens, u.output_tokens, u.requests, u.estimated, r.status AS trace, a.outcome, a.reason
FROM agent.turns AS t JOIN agent.usage AS u USING (turn_id) JOIN agent.traces AS r ON r.trace_id = t.trace_id
JOIN agent.audit_log AS a ON a.resource_id = t.turn_id WHERE t.session_id = 'broken' ORDER BY t.started_at;
COMMIT;

-- a session deleted meanwhile gets no messages, nor does another one made under its id; the charge stays
SELECT body ->> 'ticket' AS ticket FROM agent.begin_turn(:'token_acme_alice',
    '{"session_id": "gone", "messages": [{"role": "user", "content": "late"}]}') \gset
SELECT body ->> 'ticket' AS ticket2 FROM agent.begin_turn(:'token_acme_alice',
    '{"session_id": "gone", "messages": [{"role": "user", "content": "later"}]}') \gset
SELECT status FROM agent.delete_session(:'token_acme_alice', '{"session_id": "gone"}');
SELECT status FROM agent.end_turn(:'ticket', :'answer');
SELECT status FROM agent.create_session(:'token_acme_bob', '{"session_id": "gone"}');
SELECT status FROM agent.end_turn(:'ticket2', :'answer');
SELECT body -> 'messages' AS messages FROM agent.get_session(:'token_acme_bob', '{"session_id": "gone"}');
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT count(*) AS charges, count(r.ended_at) AS traces FROM agent.usage AS u JOIN agent.traces AS r USING (trace_id) WHERE u.session_id = 'gone';

-- the ticket is nowhere in reach: not readable, not guessable from the turn
SAVEPOINT here;
SELECT ticket_hash FROM agent.turns;
ROLLBACK TO here;
SELECT * FROM agent.turns;
ROLLBACK TO here;

-- open_turn takes nothing that end_turn could not store
SELECT agent.open_turn('s', NULL, false, '{"role": "user"}');
ROLLBACK TO here;
SELECT agent.open_turn('s', NULL, false, '["user"]');
ROLLBACK TO here;
SELECT agent.open_turn('s', NULL, false, NULL);
ROLLBACK TO here;
SELECT agent.open_turn('not a session id', NULL, false, '[]');
ROLLBACK;

-- and without a tenant nothing is opened
SELECT agent.open_turn('s', NULL, false, '[]');
SELECT status FROM agent.begin_turn('not a token', '{"messages": [{"role": "user"}]}');

-- a tenant that was suspended meanwhile begins nothing new, but what it began is settled
SELECT body ->> 'ticket' AS ticket FROM agent.begin_turn(:'token_acme_alice', '{"messages": [{"role": "user", "content": "before"}]}') \gset
\set QUIET on
\c - :admin
\set QUIET off
SELECT tenancy.suspend_tenant('acme') \g /dev/null
SET ROLE regress_app;
SELECT status FROM agent.begin_turn(:'token_acme_alice', '{"messages": [{"role": "user", "content": "after"}]}');
SELECT status, body ->> 'repeated' AS repeated FROM agent.end_turn(:'ticket', :'answer');
RESET ROLE;
SELECT tenancy.resume_tenant('acme') \g /dev/null

\c - regress_app
-- what is acknowledged is on disk, though the session asked not to wait for that
SET synchronous_commit = off;
BEGIN;
SELECT body ->> 'ticket' AS quick FROM agent.begin_turn(:'token_acme_alice', '{"messages": [{"role": "user", "content": "hi"}]}') \gset
SELECT pg_current_wal_insert_lsn() AS before_commit \gset
COMMIT;
SELECT pg_current_wal_flush_lsn() > :'before_commit' AS begun_on_disk;
BEGIN;
SELECT status FROM agent.end_turn(:'quick', '{"status": "error", "error": {"type": "server_error", "message": "boom"}}');
SELECT pg_current_wal_insert_lsn() AS before_commit \gset
COMMIT;
SELECT pg_current_wal_flush_lsn() > :'before_commit' AS ended_on_disk;
RESET synchronous_commit;

-- a turn reads as many rows however many there are, also while the tables have no statistics
\set QUIET on
\c - :admin
\set QUIET off
BEGIN;
TRUNCATE agent.turns, agent.usage, agent.traces CASCADE;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
CREATE FUNCTION pg_temp.turns(token text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..200 LOOP
        PERFORM agent.end_turn((agent.begin_turn(token, '{"messages": [{"role": "user", "content": "hi"}]}')).body ->> 'ticket',
            '{"status": "ok", "message": {"role": "assistant", "content": "ho"}}');
    END LOOP;
    RETURN (SELECT max(seq_tup_read + idx_tup_fetch) FROM pg_stat_xact_user_tables
        WHERE schemaname = 'agent' AND relname IN ('turns', 'usage', 'traces', 'spans', 'audit_log'));
END
$$;
SELECT pg_temp.turns(:'token_acme_alice') < 2000 AS few_rows_read;
ROLLBACK;
