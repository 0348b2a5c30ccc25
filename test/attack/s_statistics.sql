-- S: statistics and catalog. Views of counters and sessions know no tenants, and everybody may read them. Stopped by
-- revoking the functions behind them from PUBLIC, which the doctor asks for; pg_monitor keeps them.
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme') \g /dev/null

-- S1, S2: counters of the own transaction count the foreign rows that an index scan passed: an oracle for every
-- indexed column, the primary key included.
SELECT attack.refused('S1 S2 ' || v, 'SELECT * FROM ' || v) FROM unnest('{pg_stat_xact_user_tables,pg_stat_xact_all_tables,pg_stat_user_tables,pg_stat_user_indexes,pg_statio_user_tables}'::text[]) v;
SELECT attack.refused('S1 ' || f, format('SELECT %s(''shop.accounts''::regclass)', f)) FROM unnest('{pg_stat_get_xact_tuples_returned,pg_stat_get_xact_tuples_fetched,pg_stat_get_tuples_inserted,pg_stat_get_live_tuples,pg_stat_get_blocks_fetched}'::text[]) f;

-- S3: sizes. (pg_class.reltuples stays readable: a residual.)
SELECT attack.refused('S3 ' || f, format('SELECT %s(''shop.accounts'')', f)) FROM unnest('{pg_relation_size,pg_table_size,pg_total_relation_size,pg_indexes_size}'::text[]) f;

-- S4: the planner's statistics of a column. Stopped by PostgreSQL for tables under row security.
SELECT attack.gives('S4 pg_stats', 'SELECT count(*) FROM pg_stats WHERE schemaname IN (''shop'', ''agent'')', '0');
SELECT attack.refused('S4 pg_statistic', 'SELECT * FROM pg_statistic');

-- S5, S6, S7, R3: other sessions' statements, locks, prepared transactions, what is left in a pooled session.
SELECT attack.refused('S5 S7 R3 ' || v, 'SELECT * FROM ' || v) FROM unnest('{pg_stat_activity,pg_stat_replication,pg_stat_ssl,pg_locks,pg_prepared_xacts,pg_stat_database,pg_stat_progress_vacuum,pg_prepared_statements,pg_cursors}'::text[]) v;
SELECT attack.refused('S6 pg_stat_statements', 'SELECT * FROM pg_stat_statements', '42501 42P01');

SELECT attack.refused('S7 ' || f, format('SELECT %s()', f)) FROM unnest('{pg_current_wal_lsn,pg_current_wal_insert_lsn,pg_notification_queue_usage}'::text[]) f;

-- S8, S10: row locks and pages.
SELECT attack.refused('S8 ' || f, format('SELECT * FROM %s(''shop.accounts'')', f), '42501 42883') FROM unnest('{pgrowlocks,pgstattuple,pg_freespace}'::text[]) f;
SELECT attack.refused('S10 currtid2()', 'SELECT currtid2(''shop.accounts'', ''(0,1)'')');

-- S11: what a common sequence tells. Stopped: it has no privilege on any; ids are random and audit ids come from the clock.
SELECT attack.holds('S11 no sequence is readable', NOT EXISTS (SELECT FROM pg_class c WHERE CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'USAGE, SELECT, UPDATE') END));
COMMIT;
