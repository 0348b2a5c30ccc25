-- Parallel plans stay parallel, and every worker sees the tenant the leader saw.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
ALTER ROLE regress_app SET tenancy.guard = 'explain'; -- the plan is what is tested
SET client_min_messages = warning;
CREATE TABLE public.parallel_test (
    tenant_id text COLLATE "C" NOT NULL DEFAULT tenancy.current_tenant(), n int);
INSERT INTO public.parallel_test SELECT CASE n % 2 WHEN 0 THEN 'acme' ELSE 'globex' END, n
    FROM generate_series(1, 20000) n;
ALTER TABLE public.parallel_test ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY everyone ON public.parallel_test USING (true) WITH CHECK (true);
CREATE POLICY tenant ON public.parallel_test AS RESTRICTIVE
    USING (tenant_id = (SELECT tenancy.current_tenant()))
    WITH CHECK (tenant_id = (SELECT tenancy.current_tenant()));
GRANT SELECT ON public.parallel_test TO regress_app;
ANALYZE public.parallel_test;
\c - regress_app
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET max_parallel_workers_per_gather = 2;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
EXPLAIN (COSTS OFF) SELECT count(*), sum(n) FROM public.parallel_test;
SELECT count(*), sum(n), min(tenant_id), max(tenant_id) FROM public.parallel_test;
SET LOCAL parallel_leader_participation = off;
SELECT count(*), sum(n), min(tenant_id), max(tenant_id) FROM public.parallel_test;
COMMIT;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_globex_carol');
SELECT count(*), sum(n), min(tenant_id), max(tenant_id) FROM public.parallel_test;
COMMIT;
SELECT count(*) FROM public.parallel_test;
\c - :admin
DROP TABLE public.parallel_test;
