-- Traces: one per turn, under an id that no request can take from another.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
TRUNCATE agent.sessions, agent.messages, agent.turns, agent.usage, agent.traces, agent.spans,
    agent.feedback;
\c - regress_app
\set parent '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
\set chat '{"session_id": "t", "stream": true, "model": "label", "messages": [{"role": "user", "content": "secret words"}]}'

-- a valid traceparent gives the trace its id
SELECT body ->> 'ticket' AS ticket, body ->> 'trace_id' AS trace
    FROM agent.call('begin_turn', :'token_acme_alice', :'chat',
        jsonb_build_object('traceparent', :'parent', 'model', 'm-large', 'request_id', 'req-1')) \gset
\echo :trace
SELECT status, body -> 'status' AS status, body -> 'ended_at' AS ended_at, body -> 'spans' AS spans
    FROM agent.get_trace(:'token_acme_alice', jsonb_build_object('trace_id', :'trace'));
SELECT status FROM agent.end_turn(:'ticket', '{"status": "ok", "message": {"role": "assistant", "content": null,
    "tool_calls": [{"id": "a"}, {"id": "b"}]}, "model": "m-large-2", "finish_reason": "tool_calls",
    "usage": {"prompt_tokens": 7, "completion_tokens": 3}, "stream_metrics": {"total_time": 0.25, "inter_token_latencies": [1, 2]}}');
SELECT status, body - '{started_at,ended_at,duration_ms,spans}'::text[] AS summary,
    (body ->> 'started_at') ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00$' AS started_at_utc,
    (body ->> 'duration_ms')::float8 >= 0 AS duration
    FROM agent.get_trace(:'token_acme_alice', jsonb_build_object('trace_id', :'trace'));
SELECT s.value ->> 'name' AS name, s.value ->> 'status' AS status, s.value ->> 'trace_id' = :'trace' AS own_trace,
    s.value -> 'parent_span_id' AS parent_is, (s.value ->> 'end_time')::float8 >= (s.value ->> 'start_time')::float8 AS ended,
    s.value -> 'attributes' AS attributes, s.value -> 'events' AS events
FROM agent.get_trace(:'token_acme_alice', jsonb_build_object('trace_id', :'trace')) AS t
CROSS JOIN LATERAL jsonb_array_elements(jsonb_set(t.body, '{spans,1,parent_span_id}',
    to_jsonb(t.body #> '{spans,1,parent_span_id}' = t.body #> '{spans,0,span_id}')) -> 'spans') AS s;

-- the same traceparent again: the first trace stays as it is, the second gets an id of its own
SELECT body ->> 'trace_id' <> :'trace' AS fresh, body ->> 'trace_id' AS second
    FROM agent.call('begin_turn', :'token_acme_bob', :'chat', jsonb_build_object('traceparent', :'parent')) \gset
\echo :fresh
SELECT body ->> 'status' AS first_is_still, body ->> 'completion_tokens' AS tokens
    FROM agent.get_trace(:'token_acme_alice', jsonb_build_object('trace_id', :'trace'));
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT traceparent FROM agent.traces WHERE trace_id = :'second';
COMMIT;

-- another tenant with the same traceparent has a trace of that id, and neither sees the other's
SELECT body ->> 'trace_id' = :'trace' AS same_id, body ->> 'ticket' AS globex_ticket
    FROM agent.call('begin_turn', :'token_globex_carol', :'chat', jsonb_build_object('traceparent', :'parent')) \gset
\echo :same_id
SELECT body ->> 'status' AS globex_sees FROM agent.get_trace(:'token_globex_carol', jsonb_build_object('trace_id', :'trace'));
SELECT body ->> 'status' AS acme_sees FROM agent.get_trace(:'token_acme_alice', jsonb_build_object('trace_id', :'trace'));
SELECT status FROM agent.end_turn(:'globex_ticket', '{"status": "aborted"}');
SELECT body ->> 'status' AS globex_sees FROM agent.get_trace(:'token_globex_carol', jsonb_build_object('trace_id', :'trace'));
SELECT body ->> 'status' AS acme_sees FROM agent.get_trace(:'token_acme_alice', jsonb_build_object('trace_id', :'trace'));

-- what is not a traceparent gives no id
SELECT h.header, (c.body ->> 'trace_id') ~ '^trace_' AS generated
FROM (VALUES (''), ('garbage'), ('00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01'),
    ('00-00000000000000000000000000000000-b7ad6b7169203331-01'), ('00-1af7651916cd43dd8448eb211c80319c-0000000000000000-01'),
    ('00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra'), ('ff-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'),
    ('cc-2af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra'), ('cc-3af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.extra')) AS h(header)
CROSS JOIN LATERAL agent.call('begin_turn', :'token_acme_alice', :'chat', jsonb_build_object('traceparent', h.header)) AS c;

-- lists are newest first, paged, and checked
SELECT jsonb_array_length(body) AS acme_has FROM agent.list_traces(:'token_acme_alice', NULL);
SELECT jsonb_array_length(body) AS globex_has FROM agent.list_traces(:'token_globex_carol', '{"limit": "1000"}');
SELECT jsonb_array_length(body) AS page FROM agent.list_traces(:'token_acme_alice', '{"limit": "3", "offset": "9"}');
SELECT (array_agg(t.value ->> 'trace_id' ORDER BY t.ordinality DESC))[1] = :'trace' AS oldest_is_last,
    bool_and(t.value ? 'duration_ms' AND NOT t.value ? 'spans') AS summaries
    FROM agent.list_traces(:'token_acme_alice', '{}') AS l, jsonb_array_elements(l.body) WITH ORDINALITY AS t;
SELECT q.query, l.status, l.body #> '{detail,0,loc}' AS loc, l.body #>> '{detail,0,msg}' AS msg
FROM (VALUES ('{"limit": "0"}'), ('{"limit": "-1"}'), ('{"limit": "ten"}'), ('{"limit": ""}'), ('{"offset": "-1"}'),
    ('{"limit": "1001"}'), ('{"offset": "99999999999999999999"}'), ('{"limit": [1]}')) AS q(query)
CROSS JOIN LATERAL agent.list_traces(:'token_acme_alice', q.query::jsonb) AS l;

-- an unknown trace and a foreign one get the same answer
SELECT status, body FROM agent.get_trace(:'token_acme_alice', '{"trace_id": "trace_0"}');
SELECT status, replace(body::text, :'second', '<id>') AS body FROM agent.get_trace(:'token_globex_carol', jsonb_build_object('trace_id', :'second'));

-- a failure is an error in the trace, with the error as an event and no message content
SELECT body ->> 'ticket' AS ticket, body ->> 'trace_id' AS trace FROM agent.begin_turn(:'token_acme_alice', :'chat') \gset
SELECT status FROM agent.end_turn(:'ticket', '{"status": "error", "error": {"type": "UpstreamTimeout", "message": "no answer in 60 s"}}');
SELECT body ->> 'status' AS status, body #> '{spans,0,events,0,body}' AS event, body::text LIKE '%secret%' AS has_content
    FROM agent.get_trace(:'token_acme_alice', jsonb_build_object('trace_id', :'trace'));

-- the application cannot write traces
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SAVEPOINT here;
UPDATE agent.traces SET status = 'ok';
ROLLBACK TO here;
INSERT INTO agent.spans (trace_id, name, start_time, status) VALUES (:'trace', 'forged', now(), 'ok');
ROLLBACK TO here;
DELETE FROM agent.traces;
ROLLBACK;
