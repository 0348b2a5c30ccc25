-- Commands that no policy reaches are refused to application roles: first with the guards, then without.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
\set guarded_table :test_dir '/sql/include/guarded_table.psql'
\i :guarded_table
-- so that the second half reaches PostgreSQL's own answer, and not a missing privilege
GRANT ALL ON public.ledger TO regress_app;
GRANT CREATE ON SCHEMA public TO regress_app;
CREATE TABLE public.guard_statements (n int GENERATED ALWAYS AS IDENTITY, statement text);
GRANT SELECT ON public.guard_statements TO regress_app;
INSERT INTO public.guard_statements (statement) VALUES
    ('EXPLAIN SELECT 1'),
    ('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT 1'),
    ('EXPLAIN (ANALYZE off, COSTS OFF) SELECT 1'),
    ('ALTER ROLE regress_app SET statement_timeout = ''1ms'''),
    ('ALTER ROLE CURRENT_USER PASSWORD NULL'),
    ('DROP OWNED BY regress_app'),
    ('LOCK TABLE public.ledger IN ACCESS EXCLUSIVE MODE'),
    ('LOCK TABLE public.ledger IN SHARE MODE'),
    ('LOCK TABLE public.ledger IN ROW EXCLUSIVE MODE'),
    ('LISTEN somebody'),
    ('NOTIFY somebody, ''psst'''),
    ('UNLISTEN *'),
    ('PREPARE p AS SELECT 1'),
    ('EXECUTE p'),
    ('PREPARE TRANSACTION ''t'''),
    ('DECLARE c CURSOR WITH HOLD FOR SELECT 1'),
    ('DECLARE c CURSOR FOR SELECT 1'),
    ('CREATE TEMP TABLE t (i int)'),
    ('CREATE TABLE pg_temp.t (i int)'),
    ('CREATE TEMP VIEW v AS SELECT 1'),
    ('CREATE TEMP SEQUENCE s'),
    ('SELECT 1 AS one INTO TEMP t'),
    ('CREATE TABLE public.t (i int)'),
    ('CREATE TABLE public.t AS SELECT 1 AS one'),
    ('CREATE VIEW public.v AS SELECT 1 AS one'),
    ('CREATE DOMAIN public.d AS text'),
    ('CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS ''SELECT 1'''),
    ('CREATE TRIGGER t BEFORE INSERT ON public.ledger FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()'),
    ('CREATE RULE r AS ON INSERT TO public.ledger DO ALSO NOTHING'),
    ('CREATE SCHEMA s'),
    ('GRANT regress_app TO regress_app'),
    ('GRANT SELECT ON public.ledger TO PUBLIC'),
    ('ALTER TABLE public.ledger DISABLE ROW LEVEL SECURITY'),
    ('ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC'),
    ('COMMENT ON TABLE public.ledger IS ''mine'''),
    ('SECURITY LABEL ON TABLE public.ledger IS ''x'''),
    ('DO ''BEGIN END'''),
    ('LOAD ''pg_tenancy'''),
    ('TRUNCATE public.ledger'),
    ('COPY public.guard_statements TO PROGRAM ''true'''),
    ('COPY public.guard_statements TO ''/tmp/x'''),
    ('SET SESSION AUTHORIZATION regress_app'),
    ('SET work_mem = ''4MB'''),
    ('SHOW work_mem'),
    ('SET CONSTRAINTS ALL DEFERRED'),
    ('DEALLOCATE ALL');
-- runs a statement as the caller, takes it back and says what came of it
CREATE FUNCTION public.attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RAISE SQLSTATE 'P9999';
EXCEPTION
    WHEN SQLSTATE 'P9999' THEN RETURN 'ran';
    WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
\set run 'SELECT statement, public.attempt(statement) AS outcome FROM public.guard_statements ORDER BY n'
\c - regress_app
SET client_min_messages = error;
:run;
-- those that must stand alone
BEGIN;
PREPARE TRANSACTION 'mine';
ROLLBACK;
ROLLBACK PREPARED 'somebodys';
COMMIT PREPARED 'somebodys';
VACUUM public.guard_statements;
COPY (SELECT 1) TO STDOUT;
DISCARD ALL;

-- the refusal names the guard, why it is there and what lifts it
\set VERBOSITY default
LOCK TABLE public.ledger;
EXPLAIN ANALYZE SELECT 1;
\set VERBOSITY terse

-- nested statements as well: functions, and what they execute
\c - :admin
CREATE FUNCTION public.nested(statement text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE statement; END';
CREATE FUNCTION public.nested_as_admin(statement text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN EXECUTE statement; END';
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_app_login, regress_plain, regress_later;
RESET client_min_messages;
CREATE ROLE regress_app_login LOGIN IN ROLE regress_app;
CREATE ROLE regress_plain;
GRANT regress_plain TO regress_app;
\c - regress_app
SELECT public.nested('LOCK TABLE public.ledger');
SELECT public.nested('EXPLAIN ANALYZE SELECT 1');
SELECT query_to_xml('LOCK TABLE public.ledger', true, false, '');
SELECT public.nested_as_admin('CREATE TABLE public.made_by_admin (i int)'); -- an administrator's own doing
-- EXPLAIN by another way, also of what runs in an administrator's function
BEGIN;
SET LOCAL client_min_messages = log;
SET LOCAL debug_print_plan = on;
SELECT 1 AS one;
ROLLBACK;
BEGIN;
SET LOCAL client_min_messages = log;
SELECT public.nested_as_admin('SET debug_print_plan = on; SELECT 1'); -- as if planned after the outer query
ROLLBACK;
-- another role does not help, nor does a role that is only a member
SET ROLE regress_plain;
LOCK TABLE public.ledger;
\c - regress_app_login
LOCK TABLE public.ledger;
-- others are not concerned
\c - :admin
GRANT SELECT, UPDATE ON public.ledger TO regress_plain;
BEGIN;
LOCK TABLE public.ledger;
SET LOCAL ROLE regress_plain;
LOCK TABLE public.ledger;
SET LOCAL ROLE regress_app;
LOCK TABLE public.ledger;
ROLLBACK;

-- a session hears at once who is an application role, by grant_app() or by membership
CREATE ROLE regress_later LOGIN;
GRANT SELECT, UPDATE ON public.ledger TO regress_later;
BEGIN;
SET LOCAL ROLE regress_later;
LOCK TABLE public.ledger;
RESET ROLE;
SELECT tenancy.grant_app('regress_later');
SET LOCAL ROLE regress_later;
SAVEPOINT s;
LOCK TABLE public.ledger;
ROLLBACK TO s;
RESET ROLE;
ALTER ROLE regress_later RENAME TO regress_renamed; -- would be an application role no more
ROLLBACK TO s;
RESET ROLE;
SELECT tenancy.revoke_app('regress_later');
ALTER ROLE regress_later RENAME TO regress_renamed;
ALTER ROLE regress_renamed RENAME TO regress_later;
SET LOCAL ROLE regress_later;
LOCK TABLE public.ledger;
ROLLBACK;
\setenv ADMIN :admin
\setenv DB :DBNAME
\c - regress_later
BEGIN;
LOCK TABLE public.ledger;
COMMIT;
\! psql -X -q -U "$ADMIN" -d "$DB" -c 'GRANT regress_app TO regress_later'
BEGIN;
LOCK TABLE public.ledger;
ROLLBACK;
\c - :admin

-- the tenant's own channels; to listen takes a session of one's own, which an administrator vouches for
SELECT tenancy.grant_app('regress_app');
\c - regress_app
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT tenancy.channel('jobs') AS channel \gset
NOTIFY :"channel";
LISTEN :"channel";
ROLLBACK;
\c - :admin
ALTER ROLE regress_app SET tenancy.guard = 'listen';
\c - regress_app
SELECT tenancy.channel('jobs');
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_globex_carol');
SELECT tenancy.channel('jobs') AS channel_of_globex \gset
ROLLBACK;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT tenancy.channel('jobs') AS channel \gset
SELECT :'channel' = 'tenant_' || left(encode(sha256('acme'), 'hex'), 32) || '_jobs' AS as_documented;
LISTEN :"channel";
NOTIFY :"channel", 'by command';
SELECT tenancy.notify('jobs', 'by function');
SELECT count(*) FROM pg_listening_channels();
SAVEPOINT s;
LISTEN :"channel_of_globex";
ROLLBACK TO s;
NOTIFY :"channel_of_globex";
ROLLBACK TO s;
SELECT tenancy.channel('a name that has 24 bytes');
ROLLBACK TO s;
SELECT tenancy.channel('');
ROLLBACK;
LISTEN :"channel"; -- no tenant, no channel
UNLISTEN *;

-- advisory locks of the tenant's own, and not without end
\c - :admin
ALTER ROLE regress_app SET tenancy.max_advisory_locks = 3;
\c - regress_app
SELECT tenancy.try_advisory_lock(1);
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT tenancy.advisory_lock(1), tenancy.try_advisory_lock(1) AS again, tenancy.try_advisory_lock(2) AS another;
-- what another session of the same tenant gets, and one of another
\set other 'psql -X -q -A -t -U regress_app -d "$DB" -c "BEGIN" -c "SELECT tenancy.set_tenant_from_jwt(\'$TOKEN\')" -c "SELECT tenancy.try_advisory_lock(1)"'
\setenv OTHER :other
\setenv TOKEN :token_acme_bob
\! eval "$OTHER"
\setenv TOKEN :token_globex_carol
\! eval "$OTHER"
SELECT tenancy.advisory_lock(3);
ROLLBACK;
SET tenancy.max_advisory_locks = 1000;

-- each guard lifted: what is refused now is refused by PostgreSQL
\c - :admin
ALTER ROLE regress_app RESET tenancy.max_advisory_locks;
ALTER ROLE regress_app SET tenancy.guard = 'off';
GRANT ALL ON public.ledger TO regress_app; -- grant_app() may have taken some of it
\c - regress_app
SET client_min_messages = error;
:run;
BEGIN;
PREPARE TRANSACTION 'mine';
ROLLBACK;
ROLLBACK PREPARED 'somebodys';
VACUUM public.guard_statements;
-- one guard lifted, the others stand
\c - :admin
ALTER ROLE regress_app SET tenancy.guard = 'lock, temp';
\c - regress_app
BEGIN;
LOCK TABLE public.ledger;
CREATE TEMP TABLE t (i int);
\set VERBOSITY default
DO 'BEGIN END';
\set VERBOSITY terse
ROLLBACK;

-- the extension does not go while it protects somebody's table
\c - :admin
ALTER ROLE regress_app RESET tenancy.guard;
SET client_min_messages = warning;
\set VERBOSITY default
DROP EXTENSION pg_tenancy CASCADE;
DROP EXTENSION plpgsql, pg_tenancy CASCADE;
\set VERBOSITY terse
-- nor with what it depends on: its language, the schema that it is in, and whoever owns it or that schema
BEGIN;
DROP EXTENSION plpgsql CASCADE;
ROLLBACK;
BEGIN;
DROP SCHEMA IF EXISTS nowhere, public CASCADE;
ROLLBACK;
BEGIN;
ALTER SCHEMA public OWNER TO regress_plain;
DROP OWNED BY regress_plain CASCADE;
ROLLBACK;
BEGIN;
UPDATE pg_extension SET extowner = 'regress_later'::regrole WHERE extname = 'pg_tenancy';
DROP OWNED BY regress_later CASCADE;
ROLLBACK;
BEGIN;
CREATE SCHEMA other;
DROP SCHEMA other CASCADE;
DROP OWNED BY regress_plain CASCADE;
ROLLBACK;
DROP TABLE public.ledger, public.guard_statements, public.made_by_admin;
\set QUIET on
DELETE FROM tenancy.protected_tables WHERE relation::oid NOT IN (SELECT oid FROM pg_class);
\set QUIET off
BEGIN;
DROP EXTENSION pg_tenancy CASCADE;
ROLLBACK;
DROP FUNCTION public.attempt, public.nested, public.nested_as_admin;
REVOKE CREATE ON SCHEMA public FROM regress_app;
DROP ROLE regress_app_login, regress_plain, regress_later;
