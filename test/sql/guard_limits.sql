-- Time limits that no user setting lifts.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
ALTER ROLE regress_app SET tenancy.max_statement_time = '150ms';
ALTER ROLE regress_app SET tenancy.guard = 'prepare';
CREATE FUNCTION public.stubborn() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(5);
    RETURN 'slept';
EXCEPTION WHEN query_canceled THEN
    PERFORM pg_sleep(10); -- cancelled again a second later
    RETURN 'slept on';
END
$$;
\c - regress_app
SET statement_timeout = 0;
SET tenancy.max_statement_time = 0;
\set VERBOSITY default
SELECT pg_sleep(5);
\set VERBOSITY terse
SELECT 'quick' AS answer;
SELECT public.stubborn();
BEGIN;
SELECT pg_sleep(0.1);
SELECT pg_sleep(0.1); -- each statement has its own time
SELECT pg_sleep(5);
ROLLBACK;
SELECT count(*) FROM generate_series(1, 30000000);
PREPARE slow AS SELECT pg_sleep($1);
EXECUTE slow(5);
-- the protocol's own message for calling a function, which psql sends for large objects: here it would wait
\c - :admin
SELECT lo_create(4242);
ALTER LARGE OBJECT 4242 OWNER TO regress_app;
\setenv ADMIN :admin
\setenv DB :DBNAME
\! psql -X -q -U "$ADMIN" -d "$DB" -c 'BEGIN' -c 'SELECT lo_unlink(4242), pg_sleep(3)' -c 'ROLLBACK' >/dev/null &
-- until it has the large object
DO $$ BEGIN FOR try IN 1..1000 LOOP
    EXIT WHEN EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query ~ '^SELECT lo_unlink');
    PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
END LOOP; END $$;
\c - regress_app
\lo_unlink 4242
\c - :admin
SELECT lo_unlink(4242);
\c - regress_app
-- a time that is over does not reach into what follows
SELECT 'first' AS answer;
\! sleep 0.3
SELECT 'second' AS answer;
BEGIN;
SELECT 'third' AS answer;
\! sleep 1.4
SELECT 'fourth' AS answer;
COMMIT;
-- lifted, and for others: it may take its time
\c - :admin
ALTER ROLE regress_app SET tenancy.guard = 'limits';
SET tenancy.max_statement_time = '150ms';
SELECT pg_sleep(0.3);
\c - regress_app
SELECT pg_sleep(0.3);

-- a transaction that takes too long ends with its session, idle or not
\c - :admin
ALTER ROLE regress_app RESET tenancy.guard;
ALTER ROLE regress_app RESET tenancy.max_statement_time;
ALTER ROLE regress_app SET tenancy.max_transaction_time = '300ms';
-- as other sessions, so that this one survives
\set session `printf 'psql -X -q -A -t -U regress_app -d %s' :DBNAME`
\setenv APP_SESSION :session
\set busy `printf 'BEGIN;\nSELECT pg_sleep(5);\nSELECT 1;\n' | $APP_SESSION 2>&1 | sed '/server closed/,$d; /^connection to server/d; s/^psql:[^ ]* //'`
\echo :busy
\set idle `printf 'BEGIN;\nSELECT 1;\n\\! sleep 0.8\nSELECT 2;\n' | $APP_SESSION 2>&1 | sed '/server closed/,$d; /^connection to server/d'`
\echo :idle
-- also after an error that a savepoint caught
\set failed `printf 'BEGIN;\nSAVEPOINT s;\nSELECT 1/0;\n\\! sleep 0.8\nROLLBACK TO s;\n' | $APP_SESSION 2>&1 | sed '/server closed/,$d; /^connection to server/d'`
\echo :failed
\c - regress_app
-- idle outside a transaction is no matter, and neither are several short ones
SELECT 1 AS one;
\! sleep 0.4
SELECT 2 AS two;
BEGIN;
SELECT 3 AS three;
COMMIT;
\! sleep 0.4
SELECT 4 AS four;
\c - :admin
ALTER ROLE regress_app SET tenancy.guard = 'limits';
\c - regress_app
BEGIN;
SELECT 1 AS one;
\! sleep 0.5
SELECT 2 AS two;
COMMIT;
\c - :admin
ALTER ROLE regress_app RESET tenancy.guard;
ALTER ROLE regress_app RESET tenancy.max_transaction_time;
DROP FUNCTION public.stubborn();
