-- A protected table that has lost its protection is locked for applications, by whatever way they come.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
\set guarded_table :test_dir '/sql/include/guarded_table.psql'
\i :guarded_table
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_view_owner, regress_app_login;
CREATE ROLE regress_view_owner;
GRANT SELECT ON public.ledger TO regress_view_owner;
CREATE VIEW public.ledger_view AS SELECT * FROM public.ledger;
ALTER VIEW public.ledger_view OWNER TO regress_view_owner;
GRANT SELECT ON public.ledger_view TO regress_app;
CREATE FUNCTION public.ledger_rows() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM public.ledger';
ALTER FUNCTION public.ledger_rows() OWNER TO regress_view_owner;
GRANT USAGE ON SCHEMA tenancy TO regress_view_owner;
GRANT EXECUTE ON FUNCTION tenancy.current_tenant() TO regress_view_owner;
-- a role that is a member of an application role is one
CREATE ROLE regress_app_login LOGIN IN ROLE regress_app;
RESET client_min_messages;
\set as_acme 'BEGIN; SELECT tenancy.set_tenant_from_jwt(:\'token_acme_alice\') AS tenant \\g /dev/null'

-- intact: every way is open, to the tenant's rows
ALTER ROLE regress_app SET tenancy.guard = 'prepare';
\c - regress_app
PREPARE all_rows AS SELECT count(*) FROM public.ledger;
:as_acme
EXECUTE all_rows;
SELECT count(*) FROM public.ledger_view;
SELECT public.ledger_rows();
COMMIT;

-- row-level security switched off, in this session's sight: locked at its next statement
\setenv PGUSER_KEPT :admin
\set disable `psql -X -q -U "$PGUSER_KEPT" -d contrib_regression -c 'ALTER TABLE public.ledger DISABLE ROW LEVEL SECURITY'`
\set VERBOSITY default
EXECUTE all_rows;
\set VERBOSITY terse
SELECT * FROM public.ledger;
SELECT * FROM public.ledger_view;
SELECT public.ledger_rows();
SELECT query_to_xml('SELECT * FROM public.ledger', true, false, '');
COPY public.ledger TO STDOUT;
COPY (SELECT * FROM public.ledger) TO STDOUT;
COPY public.ledger FROM STDIN;
\.
INSERT INTO public.ledger VALUES ('globex', 100, 1);
UPDATE public.ledger SET amount = 0;
DELETE FROM public.ledger;
MERGE INTO public.ledger l USING (VALUES (1)) AS v (id) ON l.id = v.id WHEN MATCHED THEN DELETE;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM public.ledger;
ROLLBACK;
\c - regress_app_login
SELECT * FROM public.ledger;
-- administrators are not concerned
\c - :admin
SELECT count(*) FROM public.ledger;
BEGIN;
SET LOCAL ROLE regress_view_owner;
SELECT count(*) FROM public.ledger;
ROLLBACK;
-- with the guard lifted it is open: the tests above would see it
ALTER ROLE regress_app SET tenancy.guard = 'protection';
\c - regress_app
SELECT count(*) FROM public.ledger;
SELECT public.ledger_rows();
\c - :admin
ALTER ROLE regress_app RESET tenancy.guard;

-- each part that can be lost; the hint says what restores it, and does
\set VERBOSITY default
ALTER TABLE public.ledger ENABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
\c - regress_app
SELECT * FROM public.ledger;
\c - :admin
ALTER TABLE public.ledger ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER POLICY tenant_wall ON public.ledger USING (true);
\c - regress_app
SELECT * FROM public.ledger;
\c - :admin
\set VERBOSITY terse
DROP POLICY IF EXISTS tenant_wall ON public.ledger; CREATE POLICY tenant_wall ON public.ledger AS RESTRICTIVE USING (tenant_id = (SELECT tenancy.current_tenant()));
\c - regress_app
:as_acme
SELECT count(*) FROM public.ledger;
COMMIT;
\c - :admin
ALTER POLICY tenant_wall ON public.ledger TO regress_view_owner;
\c - regress_app
SELECT * FROM public.ledger;
\c - :admin
ALTER POLICY tenant_wall ON public.ledger TO PUBLIC;
ALTER POLICY tenant_wall ON public.ledger WITH CHECK (true);
\c - regress_app
SELECT * FROM public.ledger;
\c - :admin
DROP POLICY tenant_wall ON public.ledger;
CREATE POLICY tenant_wall ON public.ledger USING (tenant_id = (SELECT tenancy.current_tenant())); -- permissive
\c - regress_app
SELECT * FROM public.ledger;

-- partitions and inheritance children: through the parent only, unless protected themselves; made as by a
-- replica or a restore, where no event trigger keeps them together
\c - :admin
SET session_replication_role = replica;
SET client_min_messages = warning;
CREATE TABLE public.events (tenant_id text COLLATE "C" NOT NULL, year int NOT NULL, what text) PARTITION BY LIST (year);
CREATE TABLE public.events_2026 PARTITION OF public.events FOR VALUES IN (2026) PARTITION BY LIST (tenant_id);
CREATE TABLE public.events_2026_all PARTITION OF public.events_2026 DEFAULT;
CREATE TABLE public.notes (tenant_id text COLLATE "C" NOT NULL, what text);
CREATE TABLE public.notes_old () INHERITS (public.notes);
SELECT format('ALTER TABLE public.%1$s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE POLICY tenant_rows ON public.%1$s USING (true);
    CREATE POLICY tenant_wall ON public.%1$s AS RESTRICTIVE USING (tenant_id = (SELECT tenancy.current_tenant()));
    INSERT INTO tenancy.protected_tables (relation, tenant_column, added_column) VALUES (''public.%1$s'', ''tenant_id'', false)', t)
    FROM unnest('{events,notes}'::text[]) t \gexec
INSERT INTO public.events SELECT t, 2026, 'secret of ' || t FROM unnest('{acme,globex}'::text[]) t;
INSERT INTO public.notes_old SELECT t, 'secret of ' || t FROM unnest('{acme,globex}'::text[]) t;
GRANT ALL ON public.events, public.events_2026, public.events_2026_all, public.notes, public.notes_old TO regress_app;
\c - regress_app
:as_acme
SELECT what FROM public.events;
SELECT what FROM public.notes;
UPDATE public.events SET what = 'mine';
COMMIT;
:as_acme
SELECT what FROM public.events_2026;
ROLLBACK;
:as_acme
INSERT INTO public.events_2026_all VALUES ('globex', 2026, 'forged');
ROLLBACK;
:as_acme
SELECT what FROM public.notes_old;
ROLLBACK;
:as_acme
SELECT what FROM ONLY public.notes; -- the parent itself
COMMIT;
\c - :admin
SET session_replication_role = replica;
ALTER TABLE public.events_2026_all ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON public.events_2026_all USING (true);
CREATE POLICY tenant_wall ON public.events_2026_all AS RESTRICTIVE USING (tenant_id = (SELECT tenancy.current_tenant()));
\c - regress_app
:as_acme
SELECT what FROM public.events_2026_all;
COMMIT;
-- a child that is let go is no child any more, and one that joins is
\c - :admin
SET session_replication_role = replica;
ALTER TABLE public.notes_old NO INHERIT public.notes;
\c - regress_app
SELECT count(*) FROM public.notes_old;
\c - :admin
SET session_replication_role = replica;
ALTER TABLE public.notes_old INHERIT public.notes;
\c - regress_app
SELECT count(*) FROM public.notes_old;

-- taken off the register, a table is nobody's business
\c - :admin
DELETE FROM tenancy.protected_tables WHERE relation = 'public.notes'::regclass;
\c - regress_app
SELECT count(*) FROM public.notes_old;
-- which a session hears of at once
\c - :admin
SET ROLE regress_app;
SELECT count(*) FROM public.notes_old;
RESET ROLE;
INSERT INTO tenancy.protected_tables (relation, tenant_column, added_column) VALUES ('public.notes_old', 'tenant_id', false);
SET ROLE regress_app;
SELECT count(*) FROM public.notes_old;
RESET ROLE;
DELETE FROM tenancy.protected_tables WHERE relation = 'public.notes_old'::regclass;
SET ROLE regress_app;
SELECT count(*) FROM public.notes_old;
\c - :admin
SET client_min_messages = warning;
DROP TABLE public.events, public.notes CASCADE;
DROP TABLE public.ledger CASCADE;
\set QUIET on
DELETE FROM tenancy.protected_tables WHERE relation::oid NOT IN (SELECT oid FROM pg_class);
\set QUIET off
DROP FUNCTION public.ledger_rows();
REVOKE ALL ON SCHEMA tenancy FROM regress_view_owner;
REVOKE ALL ON FUNCTION tenancy.current_tenant() FROM regress_view_owner;
DROP ROLE regress_view_owner, regress_app_login;
