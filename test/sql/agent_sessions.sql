-- Sessions: a tenant's own conversations, under ids that no other tenant can meet.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
TRUNCATE agent.sessions, agent.messages, agent.turns, agent.usage, agent.traces, agent.spans,
    agent.feedback;
\c - regress_app

-- a session is created under the id that the client asks for, or under a generated one
SELECT status, headers, body FROM agent.create_session(:'token_acme_alice', '{"session_id": "s1"}');
SELECT status, body ->> 'session_id' ~ '^sess_[0-9a-f]{16}$' AS generated
    FROM agent.create_session(:'token_acme_alice', NULL);
SELECT status FROM agent.create_session(:'token_acme_alice', '{"session_id": null}');

-- an id that the tenant has is refused, and another tenant can neither meet nor notice it
SELECT status, body FROM agent.create_session(:'token_acme_bob', '{"session_id": "s1"}');
SELECT status, body FROM agent.create_session(:'token_globex_carol', '{"session_id": "s1"}');

-- bad input is 422 with the field that is wrong
SELECT status, body FROM agent.create_session(:'token_acme_alice', '{"session_id": "a b"}');
SELECT status, body FROM agent.create_session(:'token_acme_alice', '{"session_id": 7}');
SELECT status, body FROM agent.create_session(:'token_acme_alice', '[1]');
SELECT status FROM agent.create_session(:'token_acme_alice', jsonb_build_object('session_id', repeat('x', 128)));
SELECT status FROM agent.create_session(:'token_acme_alice', jsonb_build_object('session_id', repeat('x', 129)));

-- four messages, by two turns
SELECT body ->> 'ticket' AS ticket FROM agent.begin_turn(:'token_acme_alice',
    '{"session_id": "s1", "messages": [{"role": "user", "content": "one"}]}') \gset
SELECT status FROM agent.end_turn(:'ticket', '{"status": "ok", "message": {"role": "assistant", "content": "two"},
    "model": "m-large", "usage": {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16, "cached_tokens": 4}}');
SELECT body ->> 'ticket' AS ticket FROM agent.begin_turn(:'token_acme_alice',
    '{"session_id": "s1", "messages": [{"role": "user", "content": "three"}]}') \gset
SELECT status FROM agent.end_turn(:'ticket', '{"status": "ok", "message": {"role": "assistant", "content": "four"},
    "model": "m-large", "usage": {"prompt_tokens": 20, "completion_tokens": 6, "total_tokens": 26}}');
SELECT status, body FROM agent.get_session(:'token_acme_bob', '{"session_id": "s1"}');

-- usage is the sum of the session's ledger rows
SELECT status, body FROM agent.session_usage(:'token_acme_alice', '{"session_id": "s1"}');
SELECT status, body FROM agent.session_usage(:'token_globex_carol', '{"session_id": "s1"}');

-- a foreign session is answered byte for byte like one that does not exist
SELECT status, body FROM agent.create_session(:'token_acme_alice', '{"session_id": "acme-only"}');
SELECT r.route, count(DISTINCT x.answer) AS kinds_of_answer, min(x.answer) AS answer
FROM (VALUES ('get'), ('delete'), ('usage'), ('fork'), ('revert')) AS r(route)
CROSS JOIN (VALUES ('acme-only'), ('nobodys')) AS i(id)
CROSS JOIN LATERAL (SELECT jsonb_build_object('session_id', i.id, 'to_message_index', 0)) AS b(body)
CROSS JOIN LATERAL (
    SELECT replace((CASE r.route
        WHEN 'get' THEN agent.get_session(:'token_globex_carol', b.body)
        WHEN 'delete' THEN agent.delete_session(:'token_globex_carol', b.body)
        WHEN 'usage' THEN agent.session_usage(:'token_globex_carol', b.body)
        WHEN 'fork' THEN agent.fork_session(:'token_globex_carol', b.body)
        ELSE agent.revert_session(:'token_globex_carol', b.body) END)::text, i.id, '<id>')) AS x(answer)
GROUP BY r.route ORDER BY r.route;
SELECT status, body FROM agent.get_session(:'token_acme_alice', '{"session_id": "acme-only"}');

-- a fork copies the first messages and knows its parent; the parent is untouched
SELECT status, body ->> 'session_id' AS fork, body - 'session_id' AS rest
    FROM agent.fork_session(:'token_acme_alice', '{"session_id": "s1", "from_message_index": 3}') \gset
\echo :status :rest
SELECT body -> 'messages' AS messages FROM agent.get_session(:'token_acme_alice', jsonb_build_object('session_id', :'fork'));
SELECT jsonb_array_length(body -> 'messages') AS parent_has
    FROM agent.get_session(:'token_acme_alice', '{"session_id": "s1"}');
SELECT body ->> 'message_count' AS all_of_them FROM agent.fork_session(:'token_acme_alice', '{"session_id": "s1"}');
SELECT body ->> 'message_count' AS none FROM agent.fork_session(:'token_acme_alice', '{"session_id": "s1", "from_message_index": 0}');
SELECT body ->> 'turn_count' AS turns_of_a_fresh_fork
    FROM agent.session_usage(:'token_acme_alice', jsonb_build_object('session_id', :'fork'));
SELECT status, body FROM agent.fork_session(:'token_acme_alice', '{"session_id": "s1", "from_message_index": 99}');
SELECT status, body FROM agent.fork_session(:'token_acme_alice', '{"session_id": "s1", "from_message_index": -1}');
SELECT status, body FROM agent.fork_session(:'token_acme_alice', '{"session_id": "s1", "from_message_index": "x"}');

-- a fork goes on from its own length
SELECT body -> 'messages' AS prompt, body ->> 'ticket' AS ticket FROM agent.begin_turn(:'token_acme_alice',
    jsonb_build_object('session_id', :'fork', 'messages', '[{"role": "user", "content": "else"}]'::jsonb)) \gset
\echo :prompt
SELECT status FROM agent.end_turn(:'ticket', '{"status": "ok", "message": {"role": "assistant", "content": "yes"}}');

-- a revert keeps the first messages, and the next turn goes on from there
SELECT status, body IS NULL AS no_body FROM agent.revert_session(:'token_acme_alice', '{"session_id": "s1", "to_message_index": 2}');
SELECT body -> 'messages' AS messages FROM agent.get_session(:'token_acme_alice', '{"session_id": "s1"}');
SELECT status, body FROM agent.revert_session(:'token_acme_alice', '{"session_id": "s1", "to_message_index": 3}');
SELECT status, body FROM agent.revert_session(:'token_acme_alice', '{"session_id": "s1", "to_message_index": -1}');
SELECT status, body FROM agent.revert_session(:'token_acme_alice', '{"session_id": "s1"}');
SELECT status FROM agent.revert_session(:'token_acme_alice', '{"session_id": "s1", "to_message_index": 2}');
SELECT status, body ->> 'turn_count' AS still_charged FROM agent.session_usage(:'token_acme_alice', '{"session_id": "s1"}');

-- plain SQL does the same: inserting with a parent forks, updating reverted_to reverts
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
INSERT INTO agent.sessions (session_id, parent_session_id, forked_at_index) VALUES ('by-sql', :'fork', 4);
UPDATE agent.sessions SET reverted_to = 1 WHERE session_id = 'by-sql';
SELECT seq, message ->> 'content' AS content FROM agent.messages WHERE session_id = 'by-sql' ORDER BY seq;
SAVEPOINT here;
UPDATE agent.sessions SET reverted_to = 2 WHERE session_id = 'by-sql';
ROLLBACK TO here;
INSERT INTO agent.sessions (session_id, parent_session_id, forked_at_index) VALUES ('too-much', 's1', 3);
ROLLBACK TO here;
INSERT INTO agent.sessions (session_id, parent_session_id) VALUES ('orphan', 'nobodys');
ROLLBACK;

-- but the length of a session and its messages are not for the application to write
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SAVEPOINT here;
UPDATE agent.sessions SET next_seq = 1000;
ROLLBACK TO here;
INSERT INTO agent.messages (session_id, seq, message) VALUES ('s1', 2, '{"role": "assistant"}');
ROLLBACK TO here;
DELETE FROM agent.messages;
ROLLBACK;

-- a deleted session takes its messages along, and its id can be used again with a clean account
SELECT status, body FROM agent.delete_session(:'token_acme_alice', '{"session_id": "s1"}');
SELECT status FROM agent.delete_session(:'token_acme_alice', '{"session_id": "s1"}');
SELECT status FROM agent.create_session(:'token_acme_alice', '{"session_id": "s1"}');
SELECT body FROM agent.get_session(:'token_acme_alice', '{"session_id": "s1"}');
SELECT body ->> 'turn_count' AS turns FROM agent.session_usage(:'token_acme_alice', '{"session_id": "s1"}');
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT count(*) AS ledger_rows_that_outlived_the_session FROM agent.usage WHERE session_id = 's1';
COMMIT;
