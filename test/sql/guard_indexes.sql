-- Applications' plans use no index that mixes tenants, and constraints still do.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
\set guarded_table :test_dir '/sql/include/guarded_table.psql'
\i :guarded_table
CREATE STATISTICS public.ledger_mcv (mcv) ON id, amount FROM public.ledger;
ANALYZE public.ledger;
ALTER ROLE regress_app SET tenancy.guard = 'explain';
\set as_acme 'BEGIN; SELECT tenancy.set_tenant_from_jwt(:\'token_acme_alice\') AS tenant \\g /dev/null'
\c - regress_app
SET enable_seqscan = off;
SET enable_bitmapscan = off;
:as_acme
EXPLAIN (COSTS OFF) SELECT * FROM public.ledger WHERE id = 7;
EXPLAIN (COSTS OFF) SELECT * FROM public.ledger WHERE amount > 0 ORDER BY amount;
EXPLAIN (COSTS OFF) SELECT max(id) FROM public.ledger;
-- uniqueness and ON CONFLICT are checked on the hidden index all the same
INSERT INTO public.ledger (id, amount) VALUES (1, 5) ON CONFLICT (id) DO UPDATE SET amount = 5 RETURNING amount;
INSERT INTO public.ledger (id, amount) VALUES (1, 5);
ROLLBACK;
-- with the guard lifted, and for others, the planner takes them: the tests above would see it
\c - :admin
ALTER ROLE regress_app SET tenancy.guard = 'explain, indexes';
\c - regress_app
SET enable_seqscan = off;
SET enable_bitmapscan = off;
:as_acme
EXPLAIN (COSTS OFF) SELECT * FROM public.ledger WHERE id = 7;
EXPLAIN (COSTS OFF) SELECT * FROM public.ledger WHERE amount > 0 ORDER BY amount;
ROLLBACK;
\c - :admin
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT * FROM public.ledger WHERE id = 7;

-- what the mixed index tells: the counters of its scan know of another tenant's row
\set index_rows 'SELECT coalesce(sum(idx_tup_fetch), 0) AS index_rows FROM pg_stat_xact_user_tables WHERE relname = \'ledger\''
\c - :admin
ALTER ROLE regress_app SET tenancy.guard = 'indexes';
\c - regress_app
SET enable_seqscan = off;
SET enable_bitmapscan = off;
:as_acme
SELECT count(*) FROM public.ledger WHERE amount = 70; -- globex has one
:index_rows;
ROLLBACK;
\c - regress_app
SET enable_seqscan = off;
SET enable_bitmapscan = off;
:as_acme
SELECT count(*) FROM public.ledger WHERE amount = 75; -- nobody has
:index_rows;
ROLLBACK;
-- hidden, it tells nothing: both alike, the tenant's own rows
\c - :admin
ALTER ROLE regress_app RESET tenancy.guard;
\c - regress_app
SET enable_seqscan = off;
SET enable_bitmapscan = off;
:as_acme
SELECT count(*) FROM public.ledger WHERE amount = 70; -- globex has one
:index_rows;
ROLLBACK;
\c - regress_app
SET enable_seqscan = off;
SET enable_bitmapscan = off;
:as_acme
SELECT count(*) FROM public.ledger WHERE amount = 75; -- nobody has
:index_rows;
ROLLBACK;
\c - :admin
SET client_min_messages = warning;
DROP TABLE public.ledger;
DELETE FROM tenancy.protected_tables WHERE relation::oid NOT IN (SELECT oid FROM pg_class);
