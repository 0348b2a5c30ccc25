-- Who may protect a table: a superuser, or its owner with tenancy.grant_protect(). A superuser who protects
-- somebody's table does not run that person's code with a superuser's rights.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
SET client_min_messages = warning;
CREATE ROLE regress_migrator LOGIN;
CREATE ROLE regress_other LOGIN;
CREATE SCHEMA own AUTHORIZATION regress_migrator;
GRANT USAGE ON SCHEMA own TO regress_app, regress_other;
SELECT tenancy.grant_protect('regress_app');
SELECT tenancy.grant_protect('regress_other');

\c - regress_migrator
CREATE TABLE own.parent (id int PRIMARY KEY, org text);
CREATE TABLE own.child (id int PRIMARY KEY, parent int REFERENCES own.parent);
INSERT INTO own.parent VALUES (1, 'acme'), (2, 'globex');
INSERT INTO own.child VALUES (1, 1), (2, 2);
-- without the grant: nothing
SELECT tenancy.protect_table('own.parent', backfill_query => 'org');
\c - regress_other
SELECT tenancy.protect_table('own.parent', backfill_query => 'org');
SELECT tenancy.run_as_owner('own.parent', 'DROP TABLE own.parent CASCADE');
INSERT INTO tenancy.protected_tables VALUES ('own.parent', 'id', false);
SELECT * FROM tenancy.protected_tables;

-- with it: its own tables, also along references to tables that are behind the wall already
\c - :admin
SELECT tenancy.grant_protect('regress_migrator');
\c - regress_migrator
SET client_min_messages = warning;
SELECT count(*) > 0 AS protected FROM tenancy.protect_table('own.parent', backfill_query => 'org');
SELECT count(*) > 0 AS protected FROM tenancy.protect_table('own.child', backfill_query => 'SELECT p.tenant_id FROM own.parent p WHERE p.id = parent');
SELECT relation, tenant_column FROM tenancy.protected_tables ORDER BY relation::text;
SELECT conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint WHERE conrelid = 'own.child'::regclass AND contype <> 'n' ORDER BY conname;
SELECT tenancy.protect_table('agent.sessions');
DELETE FROM tenancy.protected_tables WHERE relation = 'agent.sessions'::regclass;
-- its own rows are behind the wall for the owner, too
SELECT * FROM own.parent;
-- a trigger would fire on the backfill of who may not switch triggers off
CREATE TABLE own.triggered (id int);
INSERT INTO own.triggered VALUES (1);
CREATE FUNCTION own.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON own.triggered FOR EACH ROW EXECUTE FUNCTION own.touch();
\set VERBOSITY default
SELECT tenancy.protect_table('own.triggered', backfill_query => '''acme''');
\set VERBOSITY terse
SELECT count(*) > 0 AS protected FROM tenancy.protect_table('own.triggered', backfill_tenant => 'acme');

-- a hostile owner: code in a CHECK, an index, a cast, a trigger and the names; and statements in the registry
CREATE TABLE own.ran (what text, who text, super boolean);
GRANT ALL ON own.ran TO PUBLIC;
CREATE FUNCTION own.spy(what text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        SET ROLE postgres;
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
    INSERT INTO own.ran VALUES (what, current_user, (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user));
    RETURN true;
END $$;
CREATE FUNCTION own.key(v int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM own.spy(''index''); RETURN v; END';
CREATE FUNCTION own.spy_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM own.spy(''trigger''); RETURN NEW; END';
CREATE TABLE own."x; DROP TABLE own.ran; --""'" ("a; SELECT own.spy('name')" int UNIQUE, CHECK (own.spy('check')));
CREATE INDEX "i USING btree (" ON own."x; DROP TABLE own.ran; --""'" (own.key("a; SELECT own.spy('name')"));
INSERT INTO own."x; DROP TABLE own.ran; --""'" VALUES (1), (2);
CREATE TRIGGER "t'; SELECT own.spy('trigger name'); --" BEFORE UPDATE ON own."x; DROP TABLE own.ran; --""'" FOR EACH ROW EXECUTE FUNCTION own.spy_trigger();
TRUNCATE own.ran;
\c - :admin
SET client_min_messages = warning;
SELECT count(*) > 0 AS protected FROM tenancy.protect_table('own."x; DROP TABLE own.ran; --""''"', backfill_query => 'CASE WHEN own.spy(''query'') THEN ''acme'' END');
SELECT DISTINCT what, who, super FROM own.ran ORDER BY what;
SELECT indexname, replace(indexdef, '"x; DROP TABLE own.ran; --""''"', 'x') FROM pg_indexes WHERE schemaname = 'own' AND tablename LIKE 'x;%' ORDER BY 1;
\c - regress_migrator
TRUNCATE own.ran;
UPDATE tenancy.protected_tables SET details = '{"undo": [["SELECT own.spy(''undo'')", "SELECT 1"], ["SET ROLE postgres"], ["ALTER ROLE regress_migrator SUPERUSER"]]}' WHERE relation = 'own.parent'::regclass;
\c - :admin
SET client_min_messages = warning;
SELECT action, statement, note FROM tenancy.unprotect_table('own.parent');
SELECT DISTINCT what, who, super FROM own.ran ORDER BY what;
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_migrator';

-- nor does it run later, when the superuser commits
\c - regress_migrator
TRUNCATE own.ran;
CREATE TABLE own.later (a int);
CREATE FUNCTION own.spy_later() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM own.spy(''commit''); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON own.later DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION own.spy_later();
ALTER TABLE own.later ENABLE ALWAYS TRIGGER later;
CREATE FUNCTION own.plant() RETURNS boolean LANGUAGE plpgsql AS 'BEGIN INSERT INTO own.later VALUES (1); RETURN true; END';
CREATE TABLE own.planted (a int);
INSERT INTO own.planted VALUES (1);
ALTER TABLE own.planted ADD CHECK (own.plant()) NOT VALID;
\c - :admin
SET client_min_messages = warning;
SELECT tenancy.protect_table('own.planted', backfill_query => '''acme''');
SELECT * FROM own.ran;

-- settings and role are as before, also after an error
SELECT tenancy.run_as_owner('own.child', 'SELECT 1/0');
SELECT tenancy.run_as_owner('own.child', 'SET work_mem = ''1MB''');
SELECT tenancy.run_as_owner('own.child', 'CREATE TEMP TABLE left_over (a int)');
SELECT tenancy.run_as_owner('own.child', 'SELECT current_user') AS inside, current_user = :'admin' AS outside, current_setting('work_mem') AS work_mem;
SELECT tenancy.run_as_owner(0, 'SELECT 1');
DROP SCHEMA own CASCADE;
DROP OWNED BY regress_migrator, regress_other;
DROP ROLE regress_migrator, regress_other;
