-- harden() takes from PUBLIC what crosses tenants. In a database of its own: it changes pg_catalog.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
SET client_min_messages = warning;
DROP DATABASE IF EXISTS regress_harden;
DROP DATABASE IF EXISTS regress_hardened_copy;
CREATE DATABASE regress_harden ENCODING 'UTF8' TEMPLATE template0;
\c regress_harden
SET client_min_messages = warning;
CREATE EXTENSION pg_tenancy;
\i :setup
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_monitor, regress_signaller;
CREATE ROLE regress_monitor LOGIN IN ROLE pg_monitor;
CREATE ROLE regress_signaller LOGIN IN ROLE pg_signal_backend;
CREATE TABLE public.attempts (n int GENERATED ALWAYS AS IDENTITY, statement text);
INSERT INTO public.attempts (statement) VALUES
    ('SELECT count(*) FROM pg_stat_activity'),
    ('SELECT count(*) FROM pg_stat_xact_user_tables'),
    ('SELECT count(*) FROM pg_locks'),
    ('SELECT pg_isolation_test_session_is_blocked(0, ''{}'')'),
    ('SELECT count(*) FROM pg_get_multixact_members(''0'')'),
    ('SELECT count(*) FROM pg_prepared_statements'),
    ('SELECT count(*) FROM pg_prepared_xacts'),
    ('SELECT pg_total_relation_size(''public.attempts'')'),
    ('SELECT pg_database_size(current_database())'),
    ('SELECT pg_current_wal_lsn()'),
    ('SELECT pg_control_checkpoint()'),
    ('SELECT count(*) FROM pg_replication_slots'),
    ('SELECT last_value FROM pg_sequences'),
    ('SELECT currtid2(''public.attempts'', ''(0,1)'')'),
    ('SELECT pg_advisory_lock(1)'),
    ('SELECT pg_try_advisory_xact_lock_shared(1, 1)'),
    ('SELECT pg_cancel_backend(0)'),
    ('SELECT pg_terminate_backend(0)'),
    ('SELECT pg_notify(''somebody'', ''psst'')'),
    ('SELECT lo_create(0)'),
    ('SELECT lo_get(0)'),
    ('SELECT pg_logical_emit_message(false, ''a'', ''b'')'),
    ('SELECT pg_export_snapshot()'),
    ('CREATE TEMP TABLE t (i int)'),
    ('DO ''BEGIN END'''),
    ('CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS ''SELECT 1''');
GRANT SELECT ON public.attempts TO PUBLIC;
CREATE FUNCTION public.attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RAISE SQLSTATE 'P9999';
EXCEPTION
    WHEN SQLSTATE 'P9999' THEN RETURN 'ran';
    WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
-- the utility guard refuses some of it as well, and is off here
ALTER ROLE regress_app SET tenancy.guard = 'off';
\set run 'SET client_min_messages = error; SELECT statement, public.attempt(statement) AS outcome FROM public.attempts ORDER BY n'

-- before: open to everybody
\c - regress_app
:run;

-- a dry run changes nothing and lists everything
\c - :admin
SELECT count(*) > 200 AS listed, bool_or(done) AND NOT bool_and(done) AS some_done FROM tenancy.harden();
SELECT statement, reason, done FROM tenancy.harden() WHERE statement ~ 'terminate|currtid2|DATABASE|LANGUAGE plpgsql';
SELECT count(*) FROM tenancy.harden() WHERE NOT done AND statement ~ 'pg_terminate_backend';
SELECT bool_and(done) AS all_done FROM tenancy.harden(dry_run => NULL);
-- carried out, once and again
SELECT bool_and(done) AS all_done FROM tenancy.harden(false);
SELECT bool_and(done) AS all_done FROM tenancy.harden(false);
SELECT bool_and(done) AS all_done FROM tenancy.harden();

-- after: closed to applications, open to those whose work it is
\c - regress_app
:run;
\c - regress_monitor
:run;
\c - regress_signaller
SELECT public.attempt('SELECT pg_cancel_backend(0)'), public.attempt('SELECT count(*) FROM pg_stat_activity');
-- and an application works, with replacements that keep to the tenant
\c - :admin
ALTER ROLE regress_app RESET tenancy.guard;
\c - regress_app
SELECT (agent.create_session(:'token_acme_alice', '{"session_id": "hard"}')).status;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT count(*) FROM agent.sessions;
SELECT tenancy.try_advisory_lock(1) AS locked, tenancy.notify('jobs') AS notified;
COMMIT;

-- who is not a superuser can neither do nor see it
\c - :admin
GRANT USAGE ON SCHEMA tenancy TO regress_monitor;
SET ROLE regress_monitor;
SELECT * FROM tenancy.harden();
RESET ROLE;
GRANT EXECUTE ON FUNCTION tenancy.harden(boolean), tenancy.harden_steps(), tenancy.harden_functions() TO regress_monitor;
SET ROLE regress_monitor;
SELECT tenancy.harden(false);
RESET ROLE;
-- new tables do not undo it, and what somebody granted back shows
GRANT EXECUTE ON FUNCTION pg_notify(text, text) TO PUBLIC;
SELECT statement FROM tenancy.harden() WHERE NOT done;
SELECT bool_and(done) AS all_done FROM tenancy.harden(false);

-- a dump carries all but the privileges on the database itself and on a built-in language
REVOKE ALL ON FUNCTION tenancy.harden(boolean), tenancy.harden_steps(), tenancy.harden_functions() FROM regress_monitor;
CREATE DATABASE regress_hardened_copy ENCODING 'UTF8' TEMPLATE template0;
\setenv ADMIN :admin
\! pg_dump -U "$ADMIN" regress_harden | psql -X -q -U "$ADMIN" -d regress_hardened_copy -v ON_ERROR_STOP=1 >/dev/null
\c regress_hardened_copy
SELECT statement FROM tenancy.harden() WHERE NOT done;
SELECT role_name FROM tenancy.app_roles;
\c - regress_app
SELECT count(*) FROM pg_stat_activity;
LOCK TABLE public.attempts;
\c postgres :admin
DROP DATABASE regress_harden;
DROP DATABASE regress_hardened_copy;
DROP ROLE regress_monitor, regress_signaller;
