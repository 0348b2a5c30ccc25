-- Prints the queries of the two-world test, one a line, always the same: conditions of every operator on every
-- column with values of acme, of globex and of nobody, in several kinds of statement; errors that depend on a
-- value; notices of a cheap function; writes that meet keys and references; counters, utility commands; the routes.
-- psql variable: times = 1, or that many times the values. Each orders its rows, since plans may differ: they depend
-- on the size of the whole table, a stated residual. So does whether a statement that may stop early meets an error.
\pset tuples_only on
\pset format unaligned
WITH number (v) AS (VALUES ('-1'), ('1'), ('7'), ('50'), ('100'), ('101'), ('777'), ('10001'), ('14999'), ('987654'), ('987655'), ('2147483647')
    UNION ALL SELECT (n * 263 % 15100)::text FROM generate_series(1, 12 * (:times - 1)) n),
word (v) AS (VALUES (''''''), ('''a1@acme.example'''), ('''ceo@globex.example'''), ('''cfo@globex.example'''), ('''g7@globex.example'''), ('''CANARY-ceo'''), ('''CANARY'''),
    ('''CANARY-none'''), ('''acme'''), ('''globex'''), ('''nobody'''), ('''own'''), ('''foreign'''), ('''f2'''), ('''fine''')
    UNION ALL SELECT quote_literal(CASE n % 5 WHEN 0 THEN 'a' || n || '@acme.example' WHEN 1 THEN 'g' || n * 31 || '@globex.example' WHEN 2 THEN 'CANARY-' || n * 31 WHEN 3 THEN 'f' || n ELSE n::text END) FROM generate_series(1, 15 * (:times - 1)) n),
op (o) AS (VALUES ('%s = %s'), ('%s <> %s'), ('%s < %s'), ('%s <= %s'), ('%s > %s'), ('%s >= %s'), ('%s IN (%s, NULL)'), ('%s IS NOT DISTINCT FROM %s'), ('NOT %s > %s')),
text_op (o) AS (VALUES ('%s LIKE %s || ''%%'''), ('starts_with(%s, %s)'), ('%s ~~* %s'), ('%s ~ %s'), ('%s || ''x'' = %s || ''x'''), ('%s::bytea > %s::bytea')),
number_op (o) AS (VALUES ('%s::numeric = %s'), ('%s + 1 > %s'), ('%s BETWEEN %s AND 1000000'), ('1 / nullif(%1$s - %2$s, 1) >= 0'), ('1 / (%s - %s) > 0'), ('%s::text = %s::text'), ('(%1$s * 1000000 / %2$s) > 0')),
col (tab, name, numeric) AS (VALUES ('shop.accounts', 'id', true), ('shop.accounts', 'balance', true), ('shop.entries', 'id', true), ('shop.entries', 'account_id', true), ('agent.feedback', 'rating', true),
    ('shop.accounts', 'email', false), ('shop.accounts', 'note', false), ('shop.accounts', 'tenant_id', false), ('agent.feedback', 'comment', false), ('agent.feedback', 'feedback_id', false),
    ('agent.feedback', 'tenant_id', false), ('agent.sessions', 'session_id', false), ('agent.usage', 'model', false), ('agent.files', 'filename', false)),
form (f) AS (VALUES ('SELECT count(*) FROM %1$s WHERE %3$s'), ('SELECT %2$s FROM %1$s WHERE %3$s ORDER BY 1 LIMIT 3'), ('SELECT min(%2$s), max(%2$s) FROM %1$s WHERE %3$s'), ('SELECT EXISTS (SELECT FROM %1$s WHERE %3$s)'),
    ('SELECT %2$s, count(*), rank() OVER (ORDER BY count(*), %2$s) FROM %1$s WHERE %3$s GROUP BY 1 ORDER BY 1 LIMIT 2'), ('SELECT count(*) FROM %1$s a WHERE %2$s NOT IN (SELECT %2$s FROM %1$s WHERE %3$s)'),
    ('WITH m AS MATERIALIZED (SELECT * FROM %1$s) SELECT count(*) FROM m WHERE %3$s')),
condition (tab, name, c) AS (
    SELECT col.tab, col.name, format(o, col.name, v) FROM col, op, number WHERE numeric UNION ALL SELECT col.tab, col.name, format(o, col.name, v) FROM col, number_op, number WHERE numeric
    UNION ALL SELECT col.tab, col.name, format(o, col.name, v) FROM col, op, word WHERE NOT numeric UNION ALL SELECT col.tab, col.name, format(o, col.name, v) FROM col, text_op, word WHERE NOT numeric),
writing (w) AS (
    SELECT format(s, v) FROM number, (VALUES ('INSERT INTO shop.accounts (id) VALUES (%s) RETURNING id'), ('INSERT INTO shop.accounts (id) VALUES (%s) ON CONFLICT DO NOTHING RETURNING id'),
        ('INSERT INTO shop.accounts (id, balance) VALUES (%s, 0) ON CONFLICT (tenant_id, id) DO UPDATE SET balance = -1 RETURNING balance'), ('INSERT INTO shop.entries (id, account_id) VALUES (5, %s) RETURNING *'),
        ('INSERT INTO shop.entries (id) VALUES (%s) RETURNING *'), ('UPDATE shop.accounts SET id = %s WHERE id = 1 RETURNING id'), ('UPDATE shop.accounts SET balance = 0 WHERE balance > %s'),
        ('UPDATE shop.entries SET account_id = %s RETURNING *'), ('DELETE FROM shop.accounts WHERE id = %s RETURNING id'), ('DELETE FROM shop.accounts WHERE balance >= %s'),
        ('MERGE INTO shop.accounts a USING (VALUES (%s)) n (i) ON a.id = n.i WHEN MATCHED THEN UPDATE SET note = ''m'' WHEN NOT MATCHED THEN INSERT (id) VALUES (n.i)'),
        ('INSERT INTO shop.bookings (during) VALUES (int4range(greatest(%1$s, 0), greatest(%1$s, 0) + 5)) RETURNING *'), ('SELECT count(*) FROM (SELECT FROM shop.accounts WHERE id = %s FOR UPDATE NOWAIT) s')) w (s)
    UNION ALL SELECT format(s, v) FROM word, (VALUES ('INSERT INTO shop.accounts (id, email) VALUES (5001, %s) RETURNING email'), ('UPDATE shop.accounts SET email = %s WHERE id = 2 RETURNING email'),
        ('UPDATE shop.accounts SET tenant_id = %s WHERE id = 3 RETURNING id'), ('INSERT INTO shop.accounts (tenant_id, id) VALUES (%s, 6000) RETURNING id'), ('DELETE FROM shop.accounts WHERE email = %s RETURNING email'),
        ('INSERT INTO agent.sessions (session_id) VALUES (%s) RETURNING session_id'), ('INSERT INTO agent.sessions (tenant_id, session_id) VALUES (%s, ''x'')'), ('DELETE FROM agent.sessions WHERE session_id = %s RETURNING session_id'),
        ('INSERT INTO agent.sessions (session_id, parent_session_id) VALUES (''fork'', %s)'), ('INSERT INTO agent.feedback (tenant_id, rating) VALUES (%s, 1)'), ('UPDATE agent.feedback SET comment = ''x'' WHERE comment = %s RETURNING comment'),
        ('SELECT (agent.get_session(:''token'', jsonb_build_object(''session_id'', %s))).*'), ('SELECT (agent.delete_session(:''token'', jsonb_build_object(''session_id'', %s))).*'),
        ('SELECT (agent.session_usage(:''token'', jsonb_build_object(''session_id'', %s))).*'), ('SELECT (agent.get_trace(:''token'', jsonb_build_object(''trace_id'', %s))).*'),
        ('SELECT (agent.fork_session(:''token'', jsonb_build_object(''session_id'', %s))).status'), ('SELECT (agent.create_session(:''token'', jsonb_build_object(''session_id'', %s))).*'),
        ('SELECT (agent.get_file(:''token'', jsonb_build_object(''file_id'', %s))).*'), ('SELECT (agent.delete_file(:''token'', jsonb_build_object(''file_id'', %s))).*'),
        ('SELECT (agent.checkout_work_item(:''token'', jsonb_build_object(''work_item_id'', %s))).status'), ('SELECT (agent.begin_turn(:''token'', jsonb_build_object(''file_ids'', jsonb_build_array(%s), ''messages'', ''[{"role": "user", "content": "x"}]''::jsonb))).status'),
        ('DELETE FROM agent.files WHERE file_id = %s RETURNING filename'), ('SELECT agent.move_work_item(%s, ''delete'', ''{}'')'), ('SELECT (agent.store_file(NULL, ''x'' || %s, ''text/plain'', ''x'')).refusal'),
        ('SELECT (agent.list_feedback(:''token'', jsonb_build_object(''trace_id'', %s))).*'), ('SELECT agent.end_turn(%s, ''{}'')'), ('SELECT agent.meter_turn(%s || repeat(''0'', 64) || ''.globex'', 1)')) w (s)),
other (q) AS (
    SELECT 'SELECT (agent.' || r || '(:''token'', ''{}'')).*' FROM unnest('{list_traces,list_feedback,feedback_stats,get_usage,list_work_items,work_item_stats,list_files}'::text[]) r
    UNION ALL SELECT 'SELECT count(*) FROM ' || t FROM unnest('{"pg_stats WHERE schemaname <> ''pg_catalog''",pg_policies,agent.messages,agent.turns,agent.traces,agent.spans,agent.audit_log,agent.audit_seals,tenancy.activity(),agent.files,agent.file_contents,agent.file_usage,agent.work_items,shop.rich,pg_stat_user_tables,pg_stat_xact_user_tables,pg_stat_activity,pg_locks,tenancy.tenants,tenancy.tenant_claims,tenancy.budgets}'::text[]) t
    UNION ALL SELECT format('SELECT id FROM shop.accounts WHERE attack.tells(%s) AND %s %s %s AND id < 4 ORDER BY id', name, name, o, v) FROM (VALUES ('email'), ('note')) c (name), (VALUES ('>'), ('<='), ('<>')) o (o), word
    UNION ALL SELECT format(E'BEGIN\\; SELECT count(*) FROM shop.accounts WHERE balance = %s\\; SELECT %s(''shop.accounts''::regclass)\\; ROLLBACK', v, f)
        FROM number, (SELECT proname FROM pg_proc WHERE proname ~ '^pg_stat_get_(xact_)?(tuples|live|dead|numscans|blocks)' AND pronargs = 1) c (f)
    UNION ALL SELECT format(u, v) FROM number, (VALUES (E'BEGIN\\; DECLARE c CURSOR FOR SELECT FROM shop.accounts WHERE balance > %s\\; MOVE ALL IN c\\; ROLLBACK'), ('COPY (SELECT id FROM shop.accounts WHERE id >= %s ORDER BY 1) TO STDOUT'),
        ('EXPLAIN SELECT FROM shop.accounts WHERE id = %s'), ('EXPLAIN (ANALYZE) SELECT FROM shop.accounts WHERE id = %s'), (E'PREPARE p AS SELECT count(*) FROM shop.accounts WHERE id > $1\\; EXECUTE p (%s)\\; DEALLOCATE p'),
        ('CREATE TEMP TABLE t AS SELECT FROM shop.accounts WHERE id = %s'), ('SELECT id INTO t FROM shop.accounts WHERE id = %s')) u (u)
    UNION ALL SELECT u || ' ' || t FROM unnest('{shop.accounts,shop.entries,shop.bookings,agent.feedback,tenancy.tenants}'::text[]) t,
        unnest('{LOCK,ANALYZE,VACUUM,REINDEX TABLE,CLUSTER,DROP TABLE,LOCK TABLE ONLY,TABLE}'::text[]) u WHERE u <> 'TABLE' OR t = 'shop.entries'
    UNION ALL SELECT 'TRUNCATE ' || t FROM unnest('{shop.accounts,agent.sessions}'::text[]) t
    UNION ALL SELECT format('SELECT query_to_xml(%L, true, true, '''')', 'SELECT count(*), max(' || name || ') FROM ' || tab) FROM col)
SELECT q FROM (
    SELECT format(f, tab, name, c) AS q, 1 AS part FROM condition, form WHERE NOT (c ~ '/|\*' AND f ~ 'LIMIT|EXISTS|min')
    UNION ALL SELECT format(E'BEGIN\\; %s\\; ROLLBACK', w), 2 FROM writing
    UNION ALL SELECT q, 3 FROM other) all_of_them
ORDER BY part, q COLLATE "C";
