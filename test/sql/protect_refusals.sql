-- What protect_table() refuses, with the reason and the way out. A refusal changes nothing.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
SET client_min_messages = warning;
\set VERBOSITY default
CREATE SCHEMA no;
CREATE TABLE no.t (id int PRIMARY KEY, org text);
INSERT INTO no.t VALUES (1, 'acme'), (2, 'initech'), (3, NULL), (4, 'initech');

-- rows without a tenant, or of one that is not registered: counted, with an example
SELECT tenancy.protect_table('no.t');
SELECT tenancy.protect_table('no.t', dry_run => true);
SELECT tenancy.protect_table('no.t', backfill_tenant => 'nobody');
SELECT tenancy.protect_table('no.t', backfill_query => 'org');
SELECT tenancy.protect_table('no.t', backfill_query => 'org', dry_run => true);
SELECT tenancy.protect_table('no.t', backfill_query => 'CASE WHEN id = 1 THEN ''acme'' ELSE ''ACME'' END');
SELECT tenancy.protect_table('no.t', backfill_query => 'org', backfill_tenant => 'acme');
SELECT tenancy.protect_table('no.t', backfill_query => 'no_such_column');
CALL tenancy.protect_table_in_batches('no.t', backfill_query => 'org');
CALL tenancy.protect_table_in_batches('no.t', pages => 0);
SELECT tenancy.protect_table(NULL);
-- an adopted column is held to the same
CREATE TABLE no.adopted (id int, tenant_id text COLLATE "C");
INSERT INTO no.adopted VALUES (1, 'acme'), (2, 'initech'), (3, NULL);
SELECT tenancy.protect_table('no.adopted', backfill_tenant => 'acme');
DELETE FROM no.adopted WHERE id = 2;
SELECT tenancy.protect_table('no.adopted');
SELECT count(*) > 0 AS filled FROM tenancy.protect_table('no.adopted', backfill_tenant => 'acme');
SELECT * FROM no.adopted ORDER BY id;
-- rows of one tenant that refer to another's
CREATE TABLE no.parent (id int PRIMARY KEY, tenant_id text COLLATE "C" NOT NULL);
CREATE TABLE no.child (id int PRIMARY KEY REFERENCES no.parent, tenant_id text COLLATE "C" NOT NULL);
INSERT INTO no.parent VALUES (1, 'acme');
INSERT INTO no.child VALUES (1, 'globex');
SELECT count(*) > 0 AS protected FROM tenancy.protect_table('no.parent');
\set VERBOSITY terse
SELECT tenancy.protect_table('no.child');
\set VERBOSITY default

-- columns that cannot be the tenant
CREATE TABLE no.uuid (tenant_id uuid);
CREATE TABLE no.collated (tenant_id text);
CREATE TABLE no.generated (a text, tenant_id text COLLATE "C" GENERATED ALWAYS AS (a COLLATE "C") STORED);
CREATE TABLE no.referring (tenant_id text COLLATE "C" REFERENCES tenancy.tenants);
CREATE TYPE no.type AS (a int);
CREATE TABLE no.typed OF no.type;
SELECT tenancy.protect_table('no.uuid');
SELECT tenancy.protect_table('no.collated');
SELECT tenancy.protect_table('no.generated');
SELECT tenancy.protect_table('no.referring', backfill_tenant => 'acme');
SELECT tenancy.protect_table('no.typed');
SELECT tenancy.protect_table('no.t', 'ctid', backfill_tenant => 'acme');
SELECT tenancy.protect_table('no.adopted', 'other');
-- the statement that the refusal names is the one to run
ALTER TABLE no.uuid ALTER COLUMN tenant_id TYPE text COLLATE pg_catalog."C" USING tenant_id::text;
SELECT count(*) > 0 AS protected FROM tenancy.protect_table('no.uuid');

-- relations that cannot be protected
CREATE VIEW no.view AS SELECT * FROM no.t;
CREATE MATERIALIZED VIEW no.copy AS SELECT * FROM no.t;
CREATE FOREIGN DATA WRAPPER no_wrapper;
CREATE SERVER no_server FOREIGN DATA WRAPPER no_wrapper;
CREATE FOREIGN TABLE no.far (a int) SERVER no_server;
CREATE SEQUENCE no.sequence;
CREATE TEMP TABLE short (a int);
CREATE TABLE no.whole (a int, tenant_id text COLLATE "C" NOT NULL) PARTITION BY LIST (a);
CREATE TABLE no.piece PARTITION OF no.whole FOR VALUES IN (1);
CREATE TABLE no.elder (a int);
CREATE TABLE no.heir () INHERITS (no.elder);
CREATE TABLE no.ruled (a int);
CREATE RULE also AS ON INSERT TO no.ruled DO ALSO INSERT INTO no.elder VALUES (NEW.a);
CREATE TABLE no.owned (a int);
ALTER TABLE no.owned OWNER TO regress_app;
SELECT tenancy.protect_table('no.view');
SELECT tenancy.protect_table('no.copy');
SELECT tenancy.protect_table('no.far');
SELECT tenancy.protect_table('no.sequence');
SELECT tenancy.protect_table('short');
SELECT tenancy.protect_table('pg_catalog.pg_class');
SELECT tenancy.protect_table('agent.sessions');
SELECT tenancy.protect_table('tenancy.tenants');
SELECT tenancy.protect_table('no.piece');
SELECT tenancy.protect_table('no.elder');
SELECT tenancy.protect_table('no.heir');
SELECT tenancy.protect_table('no.ruled');
SELECT tenancy.protect_table('no.owned');
CREATE FOREIGN TABLE no.far_piece PARTITION OF no.whole FOR VALUES IN (2) SERVER no_server;
SELECT tenancy.protect_table('no.whole');

-- a trigger that fires whatever the session says would change rows in the backfill
CREATE FUNCTION no.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON no.t FOR EACH ROW EXECUTE FUNCTION no.touch();
ALTER TABLE no.t ENABLE ALWAYS TRIGGER touch;
UPDATE no.t SET org = 'acme';
SELECT tenancy.protect_table('no.t', backfill_query => 'org');

-- nothing was changed by any of these
\d no.t
SELECT relation FROM tenancy.protected_tables WHERE relation::text ~ '^no\.' ORDER BY relation::text;
DROP SCHEMA no CASCADE;
DROP FOREIGN DATA WRAPPER no_wrapper CASCADE;
