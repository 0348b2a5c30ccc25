-- Conditions on numeric and enum columns use an index behind the wall once leakproof_operators() was called.
-- In a database of its own: it changes pg_catalog.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
SET client_min_messages = warning;
DROP DATABASE IF EXISTS regress_leakproof;
CREATE DATABASE regress_leakproof;
\c regress_leakproof
SET client_min_messages = warning;
CREATE EXTENSION pg_tenancy;
\i :setup
CREATE TYPE mood AS ENUM ('low', 'high');
CREATE TABLE things (tenant_id text COLLATE "C" NOT NULL, id int, price numeric, mood mood);
CREATE INDEX things_search ON things (tenant_id, price, mood);
CREATE TABLE documents (tenant_id text COLLATE "C" NOT NULL, id int, words jsonb, title text);
CREATE INDEX documents_words ON documents (tenant_id, words);
CREATE INDEX documents_title ON documents (tenant_id, title, lower(title));
INSERT INTO things SELECT t, n, n, 'low' FROM unnest('{acme,globex}'::text[]) t, generate_series(1, 100) n;
SELECT bool_or(step > 0) AS protected FROM unnest('{things,documents}'::regclass[]) t, tenancy.protect_table(t);
GRANT SELECT ON things TO regress_app;
ALTER ROLE regress_app IN DATABASE regress_leakproof SET tenancy.guard = 'explain';
ALTER ROLE regress_app IN DATABASE regress_leakproof SET enable_seqscan = off;
ALTER ROLE regress_app IN DATABASE regress_leakproof SET enable_bitmapscan = off;
\set found 'SELECT rule, object, left(fix, 60) AS fix FROM tenancy.check_isolation() WHERE rule ~ \'leakproof|blocked\''

-- before, the index finds the rows of the tenant and no more
\c - regress_app
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
EXPLAIN (COSTS OFF) SELECT id FROM things WHERE price = 7;
EXPLAIN (COSTS OFF) SELECT id FROM things WHERE price BETWEEN 7 AND 9;
EXPLAIN (COSTS OFF) SELECT id FROM things WHERE mood = 'high';
COMMIT;

-- the doctor says so; a dry run changes nothing; it is for superusers
\c - :admin
:found;
SELECT * FROM tenancy.leakproof_operators();
SELECT count(*) AS marked FROM tenancy.leakproof_operators() WHERE done;
SET ROLE regress_app;
SELECT * FROM tenancy.leakproof_operators();
RESET ROLE;
CREATE ROLE regress_not_super;
GRANT USAGE ON SCHEMA tenancy TO regress_not_super;
GRANT EXECUTE ON FUNCTION tenancy.leakproof_operators(boolean), tenancy.leakproof_functions() TO regress_not_super;
SET ROLE regress_not_super;
SELECT count(*) FROM tenancy.leakproof_operators(dry_run => false);
RESET ROLE;

-- after, the index finds the rows themselves, and only the tenant's
SELECT count(*) FILTER (WHERE done) AS marked, count(*) FROM tenancy.leakproof_operators(dry_run => false);
:found;
\c - regress_app
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
EXPLAIN (COSTS OFF) SELECT id FROM things WHERE price = 7;
EXPLAIN (COSTS OFF) SELECT id FROM things WHERE price BETWEEN 7 AND 9;
EXPLAIN (COSTS OFF) SELECT id FROM things WHERE mood = 'high';
SELECT tenant_id, id FROM things WHERE price BETWEEN 7 AND 9 ORDER BY id;
COMMIT;

-- a part that is lost is reported again
\c - :admin
ALTER FUNCTION pg_catalog.numeric_lt(numeric, numeric) NOT LEAKPROOF;
:found;

-- an index that mixes tenants stays out of a marked condition's reach, too, unless its guard is lifted
DROP INDEX things_search;
CREATE INDEX things_mixed ON things (price);
\c - regress_app
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
EXPLAIN (COSTS OFF) SELECT id FROM things WHERE price = 7;
COMMIT;
\c - :admin
ALTER ROLE regress_app IN DATABASE regress_leakproof SET tenancy.guard = 'explain, indexes';
\c - regress_app
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
EXPLAIN (COSTS OFF) SELECT id FROM things WHERE price = 7;
COMMIT;
\c - :admin

-- what is marked raises nothing for any kind of value, and does not return NULL
SELECT count(*) AS compared FROM unnest('{NaN,Infinity,-Infinity,0,0.000,-0.0,1e-1000,-1e1000,12345678901234567890.123}'::numeric[]) a,
    unnest('{NaN,Infinity,-Infinity,0,0.000,-0.0,1e-1000,-1e1000,12345678901234567890.123}'::numeric[]) b
WHERE num_nulls(a = b, a <> b, a < b, a <= b, a > b, a >= b) = 0;
-- LIKE does when the match gets to the end of the pattern, which tells how a value begins
SELECT 'secret' LIKE 'guess\';
SELECT 'secret' LIKE 'sec\';

DROP OWNED BY regress_not_super;
DROP ROLE regress_not_super;
\c postgres :admin
DROP DATABASE regress_leakproof;
