-- The rules of the rows that a turn writes: each is broken once, by a superuser with plain SQL.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup

-- Text that is none, see tenancy.is_text(): only the options of a connection bring it into a setting.
\set half `printf 'options=\047-c my.half=\303\047 dbname=%s' :DBNAME`
\c :half
-- The constraint that refuses a good row once members are changed, or once a column holds such text.
CREATE FUNCTION pg_temp.judged(tab regclass, change jsonb, spoilt name DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    good CONSTANT jsonb := '{"tenant_id": "acme", "status": "ok", "session_id": "s1", "trace_id": "t1", "turn_id": "u1",
        "ticket_hash": "\\x0000000000000000000000000000000000000000000000000000000000000000", "stream": false,
        "started_at": "2026-01-01", "ended_at": "2026-01-01", "fallback_models": ["a", null], "input": [{"role": "user"}],
        "usage_id": "g1", "occurred_at": "2026-01-01", "admitted_at": "2026-01-01", "input_tokens": 9,
        "cached_input_tokens": 5, "cache_write_tokens": 4, "output_tokens": 3, "reasoning_tokens": 3, "requests": 0,
        "cost_picodollars": 0, "estimated": false, "late": false, "overrun": false, "span_count": 0, "tool_calls": 0,
        "prompt_tokens": 0, "completion_tokens": 0, "span_id": "p1", "name": "request", "start_time": "2026-01-01",
        "attributes": {}, "events": [], "audit_id": 1, "action": "chat.complete", "outcome": "allow"}';
    columns text;
    broken text;
BEGIN
    SELECT string_agg(CASE WHEN a.attname IS DISTINCT FROM spoilt THEN quote_ident(a.attname) ELSE
        CASE a.atttypid WHEN 'text[]'::regtype THEN 'ARRAY[%1$s]' WHEN 'jsonb'::regtype THEN 'to_jsonb(%1$s)' ELSE '%1$s' END
        END, ', ' ORDER BY a.attnum)
    INTO columns FROM pg_attribute AS a WHERE a.attrelid = tab AND a.attnum > 0;
    EXECUTE format('INSERT INTO %2$s SELECT ' || columns || ' FROM jsonb_populate_record(NULL::%2$s, $1)',
        'current_setting(''my.half'')', tab)
        USING CASE tab WHEN 'agent.audit_log'::regclass THEN good || '{"status": 200}' ELSE good END || change;
    RETURN 'taken';
EXCEPTION WHEN check_violation THEN
    GET STACKED DIAGNOSTICS broken = CONSTRAINT_NAME;
    RETURN broken;
WHEN unique_violation THEN
    RETURN 'taken';
END
$$;

BEGIN;
INSERT INTO agent.traces (tenant_id, trace_id) VALUES ('acme', 't1');
SELECT tab, left(change::text, 100) AS change, pg_temp.judged(tab, change) FROM (VALUES
    ('agent.turns'::regclass, '{}'::jsonb),
    ('agent.turns', '{"turn_id": "u2", "status": "open", "ended_at": null}'),
    ('agent.turns', '{"turn_id": "u3", "hold_picodollars": 0, "hold_tokens": 0, "input_token_bound": 0, "rate_tokens": 0, "metered_output_tokens": 0}'),
    ('agent.turns', '{"turn_id": "u4", "session_id": null, "input": null, "fallback_models": null}'),
    ('agent.turns', '{"status": "done"}'),
    ('agent.turns', '{"status": "open"}'),
    ('agent.turns', '{"ended_at": null}'),
    ('agent.turns', '{"ticket_hash": "\\x00"}'),
    ('agent.turns', '{"session_id": ""}'),
    ('agent.turns', '{"session_id": "no/slash"}'),
    ('agent.turns', jsonb_build_object('session_id', repeat('s', 129))),
    ('agent.turns', '{"hold_picodollars": -1}'),
    ('agent.turns', '{"hold_tokens": -1}'),
    ('agent.turns', '{"input_token_bound": -1}'),
    ('agent.turns', '{"rate_tokens": -1}'),
    ('agent.turns', '{"metered_output_tokens": -1}'),
    ('agent.turns', '{"status": "open", "ended_at": null, "input": null}'),
    ('agent.turns', '{"status": "open", "ended_at": null, "input": {"role": "user"}}'),
    ('agent.turns', '{"status": "open", "ended_at": null, "input": "text"}'),
    ('agent.turns', '{"status": "open", "ended_at": null, "input": [{"role": "user"}, 1]}'),
    ('agent.turns', '{"status": "open", "ended_at": null, "input": [[{"role": "user"}]]}'),
    ('agent.usage', '{}'),
    ('agent.usage', '{"input_tokens": -1, "cached_input_tokens": 0, "cache_write_tokens": 0}'),
    ('agent.usage', '{"cached_input_tokens": -1}'),
    ('agent.usage', '{"cache_write_tokens": -1}'),
    ('agent.usage', '{"output_tokens": -1, "reasoning_tokens": 0}'),
    ('agent.usage', '{"reasoning_tokens": -1}'),
    ('agent.usage', '{"requests": -1}'),
    ('agent.usage', '{"cost_picodollars": -1}'),
    ('agent.usage', '{"cached_input_tokens": 6}'),
    ('agent.usage', '{"cached_input_tokens": 9223372036854775807, "cache_write_tokens": 9223372036854775807}'),
    ('agent.usage', '{"reasoning_tokens": 4}'),
    ('agent.traces', '{"trace_id": "t2"}'),
    ('agent.traces', jsonb_build_object('trace_id', repeat(U&'\00e4', 64))),
    ('agent.traces', jsonb_build_object('trace_id', repeat(U&'\00e4', 65))),
    ('agent.traces', '{"trace_id": ""}'),
    ('agent.traces', '{"status": "expired"}'),
    ('agent.spans', '{}'),
    ('agent.spans', '{"status": "open"}'),
    ('agent.audit_log', '{}'),
    ('agent.audit_log', '{"audit_id": 2, "status": null}'),
    ('agent.audit_log', '{"outcome": "maybe"}'),
    ('agent.audit_log', '{"status": 99}'),
    ('agent.audit_log', '{"status": 600}'),
    ('agent.audit_log', '{"action": "Chat"}'),
    ('agent.audit_log', jsonb_build_object('resource_type', repeat(U&'\00e4', 65))),
    ('agent.audit_log', jsonb_build_object('resource_id', repeat(U&'\00e4', 129))),
    ('agent.audit_log', jsonb_build_object('reason', repeat(U&'\00e4', 257))),
    ('agent.audit_log', jsonb_build_object('audit_id', 3, 'resource_type', repeat(U&'\00e4', 64), 'resource_id', repeat(U&'\00e4', 128), 'reason', repeat(U&'\00e4', 256)))
    ) AS c(tab, change);
SELECT tab, spoilt, pg_temp.judged(tab, '{"turn_id": "u9", "usage_id": "g9", "span_id": "p9", "audit_id": 9}', spoilt)
FROM (VALUES ('agent.turns'::regclass, '{request_id,model,fallback_models,model_label,instance_id,input}'::name[]),
    ('agent.usage', '{model,admitted_model,price_id}'), ('agent.traces', '{trace_id,session_id,model,traceparent}'),
    ('agent.spans', '{span_id,parent_span_id,name,attributes,events}'),
    ('agent.audit_log', '{resource_type,resource_id,reason,trace_id,session_id,request_id}')) AS c(tab, columns),
    unnest(columns) AS spoilt;
ROLLBACK;
