-- The floor: whatever happened to the table's own policies, the tenant's rows are all there is.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
\set guarded_table :test_dir '/sql/include/guarded_table.psql'
\i :guarded_table

-- an unharmed table pays nothing: its own policy is the floor, and is applied once
ALTER ROLE regress_app SET tenancy.guard = 'explain';
\c - regress_app
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
EXPLAIN (COSTS OFF) SELECT * FROM public.ledger;
EXPLAIN (COSTS OFF) INSERT INTO public.ledger (id, amount) VALUES (9, 9);
ROLLBACK;

-- the owner widened the policy by mistake; what refuses such a table to applications is off here
\c - :admin
ALTER POLICY tenant_wall ON public.ledger USING (true) WITH CHECK (true);
ALTER ROLE regress_app SET tenancy.guard = 'protection';
\c - regress_app
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT tenant_id, count(*) FROM public.ledger GROUP BY 1;
UPDATE public.ledger SET amount = 0 WHERE id > 3;
DELETE FROM public.ledger WHERE id > 3;
SELECT id FROM public.ledger WHERE id > 3 FOR UPDATE;
SAVEPOINT before;
INSERT INTO public.ledger VALUES ('globex', 100, 1);
ROLLBACK TO before;
UPDATE public.ledger SET tenant_id = 'globex' WHERE id = 1;
ROLLBACK TO before;
INSERT INTO public.ledger VALUES ('globex', 1, 1) ON CONFLICT (id) DO UPDATE SET tenant_id = 'globex';
ROLLBACK TO before;
MERGE INTO public.ledger l USING (VALUES (5)) AS v (id) ON l.id = v.id
    WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES ('globex', 101, 1);
ROLLBACK;
SELECT * FROM public.ledger; -- no tenant, no rows: an error

-- or dropped it and left a permissive one
\c - :admin
DROP POLICY tenant_wall ON public.ledger;
CREATE POLICY everything ON public.ledger USING (true);
\c - regress_app
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT tenant_id, count(*) FROM public.ledger GROUP BY 1;
INSERT INTO public.ledger VALUES ('globex', 100, 1);
ROLLBACK;

-- it holds for every role that row-level security concerns, the owner of the table too
\c - :admin
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_table_owner;
CREATE ROLE regress_table_owner;
RESET client_min_messages;
GRANT USAGE ON SCHEMA tenancy TO regress_table_owner;
GRANT EXECUTE ON FUNCTION tenancy.current_tenant(), tenancy.set_tenant_from_jwt(text) TO regress_table_owner;
ALTER TABLE public.ledger OWNER TO regress_table_owner;
BEGIN;
SET LOCAL ROLE regress_table_owner;
SELECT tenancy.set_tenant_from_jwt(:'token_globex_carol');
SELECT tenant_id, count(*) FROM public.ledger GROUP BY 1;
ROLLBACK;
-- and under a plan that was made before the floor was lifted and put back
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_globex_carol');
SET LOCAL ROLE regress_table_owner;
PREPARE totals AS SELECT tenant_id, count(*) FROM public.ledger GROUP BY 1 ORDER BY 1;
EXECUTE totals;
RESET ROLE;
SET LOCAL tenancy.guard = 'floor';
SET LOCAL ROLE regress_table_owner;
EXECUTE totals;
RESET ROLE;
SET LOCAL tenancy.guard = 'on';
SET LOCAL ROLE regress_table_owner;
EXECUTE totals;
ROLLBACK;

-- without the floor the same mistakes open the table: the tests above would see it
ALTER ROLE regress_app SET tenancy.guard = 'protection, floor';
\c - regress_app
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT tenant_id, count(*) FROM public.ledger GROUP BY 1 ORDER BY 1;
INSERT INTO public.ledger VALUES ('globex', 100, 1);
ROLLBACK;

-- a tenant column that is gone is an error (as a replica, so that no event trigger is in the way)
\c - :admin
SET session_replication_role = replica;
ALTER TABLE public.ledger RENAME tenant_id TO customer;
ALTER ROLE regress_app SET tenancy.guard = 'protection';
\c - regress_app
SELECT count(*) FROM public.ledger;
-- only superusers set the guards, and only to what there is
SET tenancy.guard = 'off';
ALTER ROLE regress_app SET tenancy.guard = 'off';
\c - :admin
\set VERBOSITY default
SET tenancy.guard = 'flor';
SET tenancy.guard = '';
\set VERBOSITY terse
ALTER ROLE regress_app RESET tenancy.guard;
SET client_min_messages = warning;
DROP TABLE public.ledger;
\set QUIET on
DELETE FROM tenancy.protected_tables WHERE relation::oid NOT IN (SELECT oid FROM pg_class);
\set QUIET off
REVOKE ALL ON FUNCTION tenancy.current_tenant(), tenancy.set_tenant_from_jwt(text) FROM regress_table_owner;
REVOKE USAGE ON SCHEMA tenancy FROM regress_table_owner;
DROP ROLE regress_table_owner;
