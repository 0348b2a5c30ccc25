-- A limiter that several primaries share: what a request is to take from it, and the answer when it refuses.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
-- tenants of their own: nobody else has used their rates
SELECT tenancy.add_tenant(t, 'https://dev.issuer.example', t) FROM unnest('{shared-a,shared-b}'::text[]) t;
\set token_a `:issuer_tool token shared-a alice`
\set token_b `:issuer_tool token shared-b carol`
\set chat '{"messages": [{"role": "user", "content": "hello"}], "max_tokens": 100, "n": 2}'

-- without a limit there is nothing to take; with a bad token there is no answer
\c - regress_app
SELECT agent.shared_rate('list_traces', :'token_a', '{}');
SELECT agent.shared_rate('list_traces', 'x', '{}');
SELECT agent.shared_rate('list_traces', NULL, '{}');

-- the verified tenant's own row, or the default of all; tokens for turns only
\c - :admin
SELECT tenancy.set_rate_limit('shared-a', 60, burst => 5, tokens_per_minute => 1000);
SELECT tenancy.set_rate_limit(NULL, 8);
\c - regress_app
SELECT agent.shared_rate('list_traces', :'token_a', '{}');
SELECT agent.shared_rate('begin_turn', :'token_a', :'chat');
SELECT agent.shared_rate('list_traces', :'token_b', '{"tenant_id": "shared-a"}');
-- a body that is refused anyway takes no tokens
SELECT agent.shared_rate('begin_turn', :'token_a', '{"messages": [{"role": "user", "content": "x"}], "max_tokens": "many"}');
SELECT agent.shared_rate('begin_turn', :'token_a', '7');
SELECT agent.shared_rate(NULL, :'token_a', NULL);

-- it is the same estimate that the turn takes from this database's rate, the history of its session included
SELECT body ->> 'ticket' AS ticket FROM agent.begin_turn(:'token_a', :'chat'::jsonb || '{"session_id": "shared"}') \gset
SELECT status FROM agent.end_turn(:'ticket', '{"status": "ok", "message": {"role": "assistant", "content": "0123456789012345678901234567890123456789"}}');
SELECT agent.shared_rate('begin_turn', :'token_a', :'chat'::jsonb || '{"session_id": "shared"}') #>> '{tokens,cost}' AS cost \gset
SELECT body ->> 'turn_id' AS turn, body ->> 'ticket' AS ticket FROM agent.begin_turn(:'token_a', :'chat'::jsonb || '{"session_id": "shared"}') \gset
\c - :admin
SELECT rate_tokens = :cost AS same, rate_tokens > 230 AS with_history FROM agent.turns WHERE turn_id = :'turn';
\c - regress_app
SELECT status, body -> 'used_tokens' AS used FROM agent.end_turn(:'ticket', '{"status": "aborted", "usage": {"prompt_tokens": 3, "completion_tokens": 4}}');

-- what the shared limiter refused is answered and put on record as the database's own refusals are, and takes nothing here
\c - :admin
SELECT tenancy.set_rate_limit('shared-a', 1, burst => 2);
\c - regress_app
\set refused '{"shared_rate": {"requests": {"allowed": false, "limit": 60, "remaining": 0, "retry_after_ms": 1500, "reset_after_ms": 61000}}}'
SELECT status, jsonb_pretty(headers) AS headers, body, counted FROM agent.call('list_traces', :'token_a', '{}', :'refused');
SELECT status, body #>> '{error,code}' AS code, counted FROM agent.call('begin_turn', :'token_a', :'chat', :'refused');
SELECT status, headers, body #>> '{error,type}' AS type, body #>> '{error,message}' AS message
FROM agent.call('begin_turn', :'token_a', :'chat',
    '{"shared_rate": {"requests": {"allowed": true}, "tokens": {"allowed": false, "limit": 100, "remaining": 100, "retry_after_ms": null, "reset_after_ms": 0}}}');
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_a');
SELECT action, outcome, reason, count(*) FROM agent.audit_log WHERE action = 'rate_limit.reject' GROUP BY 1, 2, 3;
COMMIT;

-- of two figures the smaller one is told
\set agreed '{"shared_rate": {"requests": {"allowed": true, "limit": 600, "remaining": 100, "retry_after_ms": 0, "reset_after_ms": 10}}}'
\set nearly '{"shared_rate": {"requests": {"allowed": true, "limit": 600, "remaining": 0, "retry_after_ms": 0, "reset_after_ms": 10}}}'
SELECT status, headers ->> 'x-ratelimit-remaining-requests' AS remaining, headers ->> 'RateLimit-Policy' AS policy, counted
FROM agent.call('list_traces', :'token_b', '{}', :'agreed');
SELECT status, headers ->> 'x-ratelimit-remaining-requests' AS remaining, headers ->> 'RateLimit-Policy' AS policy, counted
FROM agent.call('list_traces', :'token_b', '{}', :'nearly');
-- garbage is not a refusal, and not a licence either
SELECT status FROM agent.call('list_traces', :'token_b', '{}', '{"shared_rate": 7}');
SELECT status FROM agent.call('list_traces', :'token_b', '{}', '{"shared_rate": {"requests": {"allowed": "false"}}}');
SELECT status FROM agent.call('list_traces', :'token_b', '{}', '["shared_rate"]');

-- what does not count goes back to the shared limiter: a contradicting header, a body that is refused
SELECT status, counted FROM agent.call('list_traces', :'token_b', '{}', '{"x_tenant": "shared-a"}');
SELECT status, counted FROM agent.call('begin_turn', :'token_b', '{"messages": []}', '{}');
SELECT status, counted FROM agent.call('begin_turn', :'token_b', :'chat', '{}');
SELECT status, counted FROM agent.call('get_session', :'token_b', '{"session_id": "none"}', '{}');


-- consent of the shared limiter is not enough
\c - :admin
SELECT tenancy.set_rate_limit('shared-b', 1, burst => 1);
\c - regress_app
SELECT status, headers ->> 'RateLimit-Policy' AS policy, counted FROM agent.call('list_traces', :'token_b', '{}', :'agreed');

-- without a tenant the limits are nobody's
SELECT tenancy.current_rate_limits();
\c - :admin
DELETE FROM tenancy.rate_limits;
