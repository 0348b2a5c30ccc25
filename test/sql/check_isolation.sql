-- check_isolation() finds each kind of hole, and the statement it gives closes it. In a database of its own,
-- as the fixes revoke from PUBLIC what other tests use.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\set QUIET on
SET client_min_messages = warning;
DROP DATABASE IF EXISTS regress_doctor;
CREATE DATABASE regress_doctor;
\c regress_doctor
CREATE EXTENSION pg_tenancy;
\i :setup
\set findings 'SELECT rule, severity, object FROM tenancy.check_isolation() WHERE rule !~ \'(trust|server_outdated)$\''
\set fixes 'SELECT fix FROM tenancy.check_isolation() WHERE fix !~ \'^--\''
SET client_min_messages = warning;

-- a new installation has no hole of its own, only what PostgreSQL gives to everybody
:findings;
\set ECHO none
\set QUIET on
:fixes \gexec
\set QUIET off
\set ECHO all
:findings;
-- a limit of a session's length that any session can lift is half of one; the nearest setting counts
\set limits 'SELECT rule, severity FROM tenancy.check_role_limits() WHERE object = \'regress_app\' ORDER BY 1'
:limits;
ALTER ROLE regress_app SET tenancy.max_transaction_time = '0ms';
:limits;
ALTER ROLE regress_app SET statement_timeout = '30s';
:limits;
ALTER ROLE regress_app SET idle_in_transaction_session_timeout = '30s';
:limits;
ALTER ROLE regress_app IN DATABASE regress_doctor SET idle_in_transaction_session_timeout = 0;
ALTER ROLE regress_app IN DATABASE regress_doctor SET temp_file_limit = -1;
:limits;
ALTER ROLE regress_app IN DATABASE regress_doctor RESET ALL;
ALTER ROLE regress_app RESET ALL;
:limits;
ALTER DATABASE regress_doctor SET tenancy.max_transaction_time = '5min';
ALTER DATABASE regress_doctor SET temp_file_limit = '1GB';
:limits;
-- and the application still works
\c - regress_app
SELECT status FROM agent.create_session(:'token_acme_alice', '{"session_id": "s"}');
SELECT status FROM agent.begin_turn(:'token_acme_alice', '{"session_id": "s", "messages": [{"role": "user", "content": "x"}]}');
\c - :admin

-- every rule has something to find
\set QUIET on
\set ECHO none
\set zoo :test_dir '/sql/include/zoo.psql'
\i :zoo
\set QUIET off
\set ECHO all
\c - :admin
SET client_min_messages = warning;
:findings AND severity <> 'info';
:findings AND severity = 'info';
SELECT count(*) > 0 AS quoted FROM tenancy.isolation_findings WHERE fix LIKE '%zoo."Odd name"%';
SELECT count(*) AS secrets_shown FROM tenancy.check_isolation() f WHERE f::text LIKE '%hunter2%';

-- the fixes close them; some wait for others
\set ECHO none
\set QUIET on
:fixes \gexec
:fixes \gexec
:fixes \gexec
\set QUIET off
\set ECHO all
-- what remains needs a person
SELECT rule, severity, object, fix FROM tenancy.check_isolation() WHERE rule !~ '(trust|server_outdated)$';
-- keys and references were rewritten
SELECT conrelid::regclass AS tab, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'zoo'::regnamespace AND contype IN ('p', 'u', 'f') ORDER BY 1::text, 2;

-- names that would be statements: behind a line break in a comment, behind a parenthesis in the text of a key
CREATE TABLE zoo.n (tenant_id text COLLATE "C" NOT NULL DEFAULT tenancy.current_tenant(), x int, "n
ALTER ROLE regress_zoo_owner SUPERUSER" int GENERATED ALWAYS AS IDENTITY);
CREATE TABLE zoo.brackets (" ON zoo.n (x); ALTER ROLE regress_zoo_owner SUPERUSER; --" text COLLATE "C" NOT NULL,
    id int, " REFERENCES x(" int, CONSTRAINT "k(" UNIQUE (id));
CREATE INDEX "a(" ON zoo.brackets (id);
CREATE INDEX "say ""b(" ON zoo.brackets (" REFERENCES x(");
ALTER TABLE zoo.brackets ADD CONSTRAINT loose FOREIGN KEY (" REFERENCES x(") REFERENCES zoo.brackets (id);
SELECT format('ALTER TABLE zoo.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t) FROM unnest('{n,brackets}'::text[]) t \gexec
CREATE POLICY tenant_wall ON zoo.brackets AS RESTRICTIVE USING (" ON zoo.n (x); ALTER ROLE regress_zoo_owner SUPERUSER; --" = (SELECT tenancy.current_tenant()));
SELECT rule, fix FROM tenancy.check_isolation() WHERE fix LIKE '%regress_zoo_owner%' AND rule IN ('sequence_shared', 'index_not_tenant_first', 'unique_key_without_tenant');
SELECT fix FROM tenancy.check_isolation() WHERE fix LIKE '%zoo_owner SUPERUSER%' \gexec
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_zoo_owner';
SELECT indexdef FROM pg_indexes WHERE schemaname = 'zoo' AND tablename = 'brackets' ORDER BY indexname COLLATE "C";
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'loose';
DROP TABLE zoo.n, zoo.brackets;

-- it is for administrators, and finds nothing else because of somebody's temporary objects
\c - regress_app
SELECT * FROM tenancy.check_isolation();
SELECT * FROM tenancy.isolation_findings;
\c - :admin
SELECT count(*) AS before FROM tenancy.check_isolation() \gset
CREATE TEMP TABLE pg_class (LIKE pg_catalog.pg_class);
CREATE TEMP TABLE pg_policy (LIKE pg_catalog.pg_policy);
SET search_path = pg_temp, pg_catalog;
SELECT count(*) = :before AS not_misled FROM tenancy.check_isolation();
RESET search_path;

-- a thousand tables take half a second; the test is for what grows faster than their number
\set QUIET on
SELECT format('CREATE TABLE zoo.many_%1$s (tenant_id text COLLATE "C" NOT NULL DEFAULT tenancy.current_tenant(), id int, PRIMARY KEY (tenant_id, id)); '
    'ALTER TABLE zoo.many_%1$s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY tenant_rows ON zoo.many_%1$s USING (true); '
    'CREATE POLICY tenant_wall ON zoo.many_%1$s AS RESTRICTIVE USING (tenant_id = (SELECT tenancy.current_tenant()))', n) FROM generate_series(1, 1000) n
\set ECHO none
\gexec
\set QUIET off
\set ECHO all
SELECT clock_timestamp() AS start \gset
SELECT count(*) AS of_many FROM tenancy.check_isolation() WHERE object LIKE '%many%';
SELECT CASE WHEN clock_timestamp() - :'start' < interval '5 seconds' THEN 'in time' ELSE (clock_timestamp() - :'start')::text END AS took;

\c contrib_regression
SET client_min_messages = warning;
DROP DATABASE regress_doctor;
DROP ROLE regress_zoo_app, regress_zoo_group, regress_zoo_owner, regress_zoo_backup, regress_zoo_developer;
