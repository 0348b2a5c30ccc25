-- protect_schema(): each table that comes into the schema is protected or refused. Partitions of protected
-- tables are protected wherever they come from.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
SET client_min_messages = warning;
\set VERBOSITY default
CREATE ROLE regress_migrator LOGIN;
CREATE SCHEMA app;
CREATE SCHEMA elsewhere;
GRANT ALL ON SCHEMA app, elsewhere TO regress_migrator;
CREATE TABLE app.before (a int);
CREATE TABLE app.before_parted (a int) PARTITION BY LIST (a);
CREATE FUNCTION app.walls() RETURNS TABLE (name text, wall boolean, forced boolean, registered boolean) LANGUAGE sql AS $$
    SELECT c.oid::regclass::text, tenancy.protect_has_wall(c.oid, coalesce(p.tenant_column, 'tenant_id')), c.relrowsecurity AND c.relforcerowsecurity, p.relation IS NOT NULL
    FROM pg_class c LEFT JOIN tenancy.protected_tables p ON p.relation = c.oid
    WHERE c.relnamespace IN ('app'::regnamespace, 'elsewhere'::regnamespace) AND c.relkind IN ('r', 'p', 'm', 'f') ORDER BY 1 $$;
SELECT tenancy.protect_schema('nowhere');
SELECT tenancy.protect_schema('pg_catalog');
SELECT tenancy.protect_schema('app', 'maybe');
SELECT tenancy.protect_schema('app');

-- each way for a table to come in, by a role that has no rights in schema tenancy
\set VERBOSITY terse
\c - regress_migrator
SET client_min_messages = warning;
CREATE TABLE app.made (id int PRIMARY KEY, email text UNIQUE);
CREATE TABLE app.made (id int);
CREATE TABLE app.filled AS SELECT 1 AS id;
CREATE TABLE app.filled AS SELECT 1 AS id, 'initech'::text COLLATE "C" AS tenant_id;
CREATE TABLE app.filled AS SELECT 1 AS id, 'acme'::text COLLATE "C" AS tenant_id;
SELECT 1 AS id, 'acme'::text COLLATE "C" AS tenant_id INTO app.selected;
CREATE TABLE app.like_made (LIKE app.made INCLUDING ALL);
CREATE TABLE app.referring (id int PRIMARY KEY, tenant_id text COLLATE "C" NOT NULL, made int, FOREIGN KEY (tenant_id, made) REFERENCES app.made);
CREATE TABLE app.parted (id int, day date) PARTITION BY RANGE (day);
CREATE TABLE app.parted_1 PARTITION OF app.parted FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE elsewhere.parted_2 PARTITION OF app.parted FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TABLE elsewhere.ready (id int UNIQUE, day date, tenant_id text COLLATE "C" NOT NULL);
ALTER TABLE app.parted ATTACH PARTITION elsewhere.ready FOR VALUES FROM ('2026-03-01') TO ('2026-04-01');
CREATE TABLE elsewhere.sub PARTITION OF app.parted FOR VALUES FROM ('2026-04-01') TO ('2026-05-01') PARTITION BY LIST (id);
CREATE TABLE elsewhere.sub_1 PARTITION OF elsewhere.sub DEFAULT;
CREATE TABLE elsewhere.moved (id int);
ALTER TABLE elsewhere.moved SET SCHEMA app;
CREATE MATERIALIZED VIEW app.copy AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW elsewhere.copy AS SELECT 1 AS a;
ALTER MATERIALIZED VIEW elsewhere.copy SET SCHEMA app;
CREATE TABLE elsewhere.free (id int);
CREATE VIEW app.view AS SELECT 1 AS a;
CREATE TEMP TABLE temporary (a int);
CREATE SEQUENCE app.numbers;
\c - :admin
SET client_min_messages = warning;
SELECT * FROM app.walls();
SELECT indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid IN ('app.made'::regclass, 'elsewhere.ready'::regclass) ORDER BY indexrelid::regclass::text;
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'app.referring'::regclass AND contype = 'f';

-- a protected table cannot lose its column, nor hide behind a parent that is not protected
ALTER TABLE app.made RENAME COLUMN tenant_id TO t;
ALTER TABLE app.made ALTER COLUMN tenant_id DROP NOT NULL;
ALTER TABLE app.made DROP COLUMN tenant_id;
CREATE TABLE elsewhere.heir () INHERITS (app.made);
CREATE TABLE elsewhere.elder (id int NOT NULL);
ALTER TABLE app.made INHERIT elsewhere.elder;
CREATE TABLE elsewhere.root (id int, day date, tenant_id text COLLATE "C" NOT NULL) PARTITION BY RANGE (day);
ALTER TABLE app.parted DETACH PARTITION app.parted_1;
ALTER TABLE elsewhere.root ATTACH PARTITION app.parted_1 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE FOREIGN DATA WRAPPER regress_wrapper;
CREATE SERVER regress_server FOREIGN DATA WRAPPER regress_wrapper;
CREATE FOREIGN TABLE elsewhere.far PARTITION OF app.parted FOR VALUES FROM ('2027-01-01') TO ('2027-02-01') SERVER regress_server;
CREATE FOREIGN TABLE app.far (a int) SERVER regress_server;
ALTER SCHEMA app RENAME TO app2;
-- tables that were there before go on as they were
ALTER TABLE app.before ADD COLUMN b int;
CREATE TABLE app.before_1 PARTITION OF app.before_parted DEFAULT;

-- mode refuse: only what is protected already comes in
SELECT tenancy.protect_schema('app', 'refuse');
\set VERBOSITY default
CREATE TABLE app.refused (id int);
\set VERBOSITY terse
CREATE TABLE elsewhere.good (id int);
SELECT count(*) > 0 AS protected FROM tenancy.protect_table('elsewhere.good');
ALTER TABLE elsewhere.good SET SCHEMA app;
ALTER TABLE elsewhere.free SET SCHEMA app;
-- unprotect_table() in a protected schema exempts the table
SELECT count(*) > 0 AS unprotected FROM tenancy.unprotect_table('app.good');
ALTER TABLE app.good ADD COLUMN b int;
SELECT tenancy.unprotect_table('app.parted_1') \g /dev/null
SELECT tenancy.unprotect_table('elsewhere.sub_1');
SELECT schema_name, mode, exempt FROM tenancy.protected_schemas;
-- which its owner alone cannot do
SELECT tenancy.grant_protect('regress_migrator');
\c - regress_migrator
SET client_min_messages = warning;
SELECT tenancy.unprotect_table('app.made');
SELECT tenancy.unprotect_schema('app');

-- the application role can do none of this
\c - regress_app
SELECT tenancy.protect_schema('app');
SELECT tenancy.unprotect_schema('app');
\c - :admin
SET client_min_messages = warning;
SELECT tenancy.unprotect_schema('app');
SELECT tenancy.unprotect_schema('app');
CREATE TABLE app.free (id int);
-- what is dropped is off the registry
SELECT tenancy.protect_schema('elsewhere');
DROP FOREIGN DATA WRAPPER regress_wrapper CASCADE;
DROP TABLE elsewhere.free;
DROP SCHEMA app CASCADE;
DROP SCHEMA elsewhere CASCADE;
SELECT count(*) AS left_over FROM tenancy.protected_tables WHERE relation::oid NOT IN (SELECT oid FROM pg_class);
SELECT * FROM tenancy.protected_schemas;
-- one that went where no event trigger fired, or that a dump left out, is in nobody's way
CREATE SCHEMA gone;
SELECT tenancy.protect_schema('gone');
SET session_replication_role = replica;
DROP SCHEMA gone;
RESET session_replication_role;
CREATE TABLE public.meanwhile (a int);
DROP TABLE public.meanwhile;
SELECT tenancy.unprotect_schema('gone');
DROP OWNED BY regress_migrator;
DROP ROLE regress_migrator;
