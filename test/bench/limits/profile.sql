-- profile.sql: the functions that a turn spends most time in, per turn.
SELECT lpad(round((f.self_time * 1000 / t.calls)::numeric, 1)::text, 9), f.schemaname || '.' || f.funcname, f.calls / t.calls || ' calls'
FROM pg_stat_user_functions f, (SELECT calls FROM pg_stat_user_functions WHERE funcname = 'end_turn' AND schemaname = 'agent') t
ORDER BY f.self_time DESC LIMIT 16;
SELECT lpad(round((sum(f.self_time) * 1000 / max(t.calls))::numeric, 1)::text, 9), 'all functions'
FROM pg_stat_user_functions f, (SELECT calls FROM pg_stat_user_functions WHERE funcname = 'end_turn' AND schemaname = 'agent') t;
