-- protect_table_in_batches(): commits as it goes, says how far it is, goes on after an interruption.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
CREATE SCHEMA big;
CREATE TABLE big.t (id int PRIMARY KEY, org text, rest text) WITH (autovacuum_enabled = false);
INSERT INTO big.t SELECT i, CASE WHEN i % 10 = 0 THEN 'globex' ELSE 'acme' END, md5(i::text) FROM generate_series(1, 3000) i;
CREATE TABLE big.before AS SELECT * FROM big.t;
BEGIN;
CALL tenancy.protect_table_in_batches('big.t', backfill_query => 'org', pages => 10);
ROLLBACK;

-- interrupted in the middle: row 2500 cannot be mapped the second time it is looked at
CREATE SEQUENCE big.looked;
CALL tenancy.protect_table_in_batches('big.t', pages => 10,
    backfill_query => 'CASE WHEN id = 2500 AND nextval(''big.looked'') = 2 THEN (1 / (id - 2500))::text ELSE org END');
SELECT count(tenant_id) > 0 AS some, count(tenant_id) < count(*) AS not_all FROM big.t;
SELECT relation FROM tenancy.protected_tables WHERE relation = 'big.t'::regclass;
-- again: only what is left
CALL tenancy.protect_table_in_batches('big.t', backfill_query => 'org', pages => 10);
SELECT tenant_id, count(*), count(*) FILTER (WHERE tenant_id = org) AS right FROM big.t GROUP BY 1 ORDER BY 1;
SELECT count(*) AS changed FROM (SELECT id, org, rest FROM big.t EXCEPT ALL SELECT * FROM big.before) x;
\d big.t
SELECT added_column FROM tenancy.protected_tables WHERE relation = 'big.t'::regclass;
-- nothing left to do
CALL tenancy.protect_table_in_batches('big.t', backfill_query => 'org', pages => 10);

-- an index that was built CONCURRENTLY before is used; partitions go one by one
CREATE TABLE big.p (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE big.p1 PARTITION OF big.p FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE big.p2 PARTITION OF big.p FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO big.p SELECT i, '2026-01-15'::date + (i % 2) * 30 FROM generate_series(1, 1000) i;
CALL tenancy.protect_table_in_batches('big.p', backfill_query => 'CASE WHEN id < 500 THEN ''acme'' ELSE ''globex'' END', pages => 2);
SELECT tableoid::regclass, tenant_id, count(*) FROM big.p GROUP BY 1, 2 ORDER BY tableoid::regclass::text COLLATE "C", tenant_id;
SELECT relation FROM tenancy.protected_tables WHERE relation::text ~ '^big\.p' ORDER BY relation::text;
CREATE TABLE big.ready (id int PRIMARY KEY, tenant_id text COLLATE "C" NOT NULL);
\set VERBOSITY default
CALL tenancy.protect_table_in_batches('big.ready', build_indexes => false);
\set VERBOSITY terse
CREATE UNIQUE INDEX CONCURRENTLY ready_pkey_tenancy_new ON big.ready USING btree (tenant_id, id);
SELECT 'big.ready_pkey_tenancy_new'::regclass::oid AS built \gset
CALL tenancy.protect_table_in_batches('big.ready', build_indexes => false);
SELECT 'big.ready_pkey'::regclass::oid = :built AS used;
SET client_min_messages = warning;
DROP SCHEMA big CASCADE;
