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

-- extended statistics are drawn from all tenants' rows: hidden as well, a common value looks like a rare one
\c - :admin
INSERT INTO public.ledger SELECT 'globex', n, 7000 FROM generate_series(1000, 2999) n;
DROP STATISTICS public.ledger_mcv;
CREATE STATISTICS public.ledger_mcv (mcv) ON tenant_id, amount FROM public.ledger;
ANALYZE public.ledger;
CREATE FUNCTION public.estimate(amount bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE format('EXPLAIN (FORMAT json) SELECT FROM public.ledger WHERE tenant_id = ''globex'' AND amount = %s', amount) INTO plan;
    RETURN plan #>> '{0,Plan,Plan Rows}';
END $$;
\c - regress_app
:as_acme
SELECT public.estimate(7000) = public.estimate(7001) AS alike;
COMMIT;
\c - :admin
ALTER ROLE regress_app SET tenancy.guard = 'explain';
\c - regress_app
:as_acme
SELECT public.estimate(7000) = public.estimate(7001) AS alike;
COMMIT;
\c - :admin
SELECT public.estimate(7000) = public.estimate(7001) AS alike;
DELETE FROM public.ledger WHERE id >= 1000;

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
DROP FUNCTION public.estimate;
\set QUIET on
DELETE FROM tenancy.protected_tables WHERE relation::oid NOT IN (SELECT oid FROM pg_class);
\set QUIET off
