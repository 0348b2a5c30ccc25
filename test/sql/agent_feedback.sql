-- Feedback: whose it is comes from the token, and only its author changes it.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
TRUNCATE agent.sessions, agent.messages, agent.turns, agent.usage, agent.traces, agent.spans,
    agent.feedback;
\c - regress_app

-- a rating is enough; the author is the subject of the token
SELECT status, body ->> 'feedback_id' AS alices FROM agent.create_feedback(:'token_acme_alice', '{"rating": 1}') \gset
\echo :status
SELECT :'alices' ~ '^fb_[0-9a-f]{16}$' AS feedback_id;
SELECT status FROM agent.create_feedback(:'token_acme_bob', '{"rating": -1, "trace_id": "t1", "session_id": "s1", "comment": "no",
    "correction": "yes", "model_id": "m-large", "latency_ms": 12.5, "turn_index": 0, "agent_type": "helper", "user_id": "alice",
    "tenant_id": "globex", "created_at": "2001-01-01"}');
SELECT (f.value ->> 'trace_id') ~ '^(t1|trace_[0-9a-f]{16})$' AS trace_id, f.value ->> 'created_at' > '2026' AS now,
    f.value - '{feedback_id,created_at,trace_id}'::text[] AS record
    FROM agent.list_feedback(:'token_acme_alice', NULL) AS l, jsonb_array_elements(l.body) AS f;

-- bad fields are 422
SELECT r.request, f.status, f.body #> '{detail,0,loc,1}' AS field, f.body #>> '{detail,0,msg}' AS msg
FROM (VALUES (NULL), ('{}'), ('{"rating": 0}'), ('{"rating": true}'), ('{"rating": "up"}'), ('{"rating": 1, "turn_index": -1}'),
    ('{"rating": 1, "turn_index": 2147483648}'), ('{"rating": 1, "latency_ms": -0.5}'), ('{"rating": 1, "latency_ms": 1e400}'),
    ('{"rating": 1, "session_id": "a b"}'), ('{"rating": 1, "comment": {}}')) AS r(request)
CROSS JOIN LATERAL agent.create_feedback(:'token_acme_alice', r.request::jsonb) AS f;
SELECT status, body #>> '{detail,0,msg}' AS msg, length(body #>> '{detail,0,input}') AS echoed
    FROM agent.create_feedback(:'token_acme_alice', jsonb_build_object('rating', 1, 'comment', repeat('x', 10001)));

-- the author changes what is given, and nothing else
SELECT status, body - '{feedback_id,created_at,trace_id}'::text[] AS record FROM agent.update_feedback(:'token_acme_alice',
    jsonb_build_object('feedback_id', :'alices', 'rating', -1, 'comment', 'changed my mind', 'user_id', 'bob'));
SELECT status, body ->> 'rating' AS rating, body ->> 'comment' AS comment FROM agent.update_feedback(:'token_acme_alice',
    jsonb_build_object('feedback_id', :'alices', 'comment', NULL));
SELECT status, body #>> '{detail,0,msg}' AS msg FROM agent.update_feedback(:'token_acme_alice',
    jsonb_build_object('feedback_id', :'alices', 'rating', 5));

-- a colleague is refused; another tenant is told what is told about an id that does not exist
SELECT status, body FROM agent.update_feedback(:'token_acme_bob', jsonb_build_object('feedback_id', :'alices', 'rating', 1));
SELECT status, replace(body::text, :'alices', '<id>') AS body FROM agent.update_feedback(:'token_globex_carol',
    jsonb_build_object('feedback_id', :'alices', 'rating', 1));
SELECT status, body FROM agent.update_feedback(:'token_globex_carol', '{"feedback_id": "fb_0", "rating": 1}');
SELECT body FROM agent.list_feedback(:'token_globex_carol', NULL);
SELECT body FROM agent.feedback_stats(:'token_globex_carol', NULL);

-- lists filter
SELECT q.query, jsonb_array_length(l.body) AS records
FROM (VALUES ('{"trace_id": "t1"}'), ('{"session_id": "s1"}'), ('{"user_id": "alice"}'), ('{"user_id": "alice", "trace_id": "t1"}'),
    ('{"since": "2001-01-01"}'), ('{"until": "2001-01-01T00:00:00Z"}'), ('{"since": "2001-01-01T00:00:00.5+02:00", "limit": "1"}'),
    ('{"offset": "1"}')) AS q(query)
CROSS JOIN LATERAL agent.list_feedback(:'token_acme_alice', q.query::jsonb) AS l;
SELECT q.query, l.status, l.body #> '{detail,0,loc,1}' AS field, l.body #>> '{detail,0,type}' AS type
FROM (VALUES ('{"since": "yesterday"}'), ('{"since": "2026-13-01"}'), ('{"until": "2026-02-30T00:00:00Z"}'), ('{"until": "01/02/2026"}'),
    ('{"since": "2026-01-01T00:00:00+99:00"}'), ('{"since": "infinity"}'), ('{"since": 7}'), ('{"limit": "0"}')) AS q(query)
CROSS JOIN LATERAL agent.list_feedback(:'token_acme_alice', q.query::jsonb) AS l;

-- statistics count thumbs by window and kind of agent
SELECT q.width, s.status, s.value - '{window_start,window_end}'::text[] AS counts,
    extract(epoch FROM (s.value ->> 'window_end')::timestamptz - (s.value ->> 'window_start')::timestamptz)::int / 3600 AS hours,
    s.value ->> 'window_start' ~ '00:00\+00:00$' AS starts_on_the_hour_utc
FROM (VALUES ('hour'), ('day'), ('week')) AS q(width)
CROSS JOIN LATERAL (SELECT f.status, w.value, w.ordinality FROM agent.feedback_stats(:'token_acme_alice', jsonb_build_object('window', q.width)) AS f,
    jsonb_array_elements(f.body) WITH ORDINALITY AS w) AS s ORDER BY q.width, s.ordinality;
SELECT status, body #> '{0,total}' AS total, body #> '{1}' IS NULL AS only_one FROM agent.feedback_stats(:'token_acme_alice', '{"agent_type": "helper"}');
SELECT status, body FROM agent.feedback_stats(:'token_acme_alice', '{"window": "year"}');
SELECT status FROM agent.feedback_stats(:'token_acme_alice', '{"since": "x"}');

-- in plain SQL the author cannot be chosen either
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
INSERT INTO agent.feedback (rating) VALUES (1) RETURNING user_id;
SAVEPOINT here;
INSERT INTO agent.feedback (rating, user_id) VALUES (1, 'bob');
ROLLBACK TO here;
UPDATE agent.feedback SET user_id = 'alice';
ROLLBACK TO here;
UPDATE agent.feedback SET rating = 3;
ROLLBACK;
