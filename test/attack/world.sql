-- The world that is attacked: two tenants with rows in a shop of three tables besides the agent's own, an
-- application role, and the words the attacks are written in (schema attack). psql variables: world =
-- "protected": tables as they ought to be, and every fix of the doctor applied; "textbook": the same tables
-- as most guides have them, nothing fixed. jwks = the issuer's keys. Run as superuser in an empty database.
\set QUIET on
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE EXTENSION pg_tenancy;
SELECT :'world' = 'protected' AS protected, NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'attack_app') AS no_roles \gset
\if :no_roles
CREATE ROLE attack_app LOGIN;
CREATE ROLE attack_owner;
\endif
SELECT tenancy.add_issuer('https://dev.issuer.example', '{agents}', 'org_id') \g /dev/null
SELECT count(*) FROM tenancy.load_jwks('https://dev.issuer.example', :'jwks') \g /dev/null
SELECT tenancy.add_tenant(t, 'https://dev.issuer.example', t) FROM unnest('{acme,globex}'::text[]) t \g /dev/null
SELECT tenancy.grant_app('attack_app') \g /dev/null

CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO attack_app;
\if :protected
CREATE TABLE shop.accounts (tenant_id text COLLATE "C" NOT NULL DEFAULT tenancy.current_tenant(), id int, email text, balance int, note text,
    PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, email));
CREATE INDEX accounts_balance ON shop.accounts (tenant_id, balance);
CREATE TABLE shop.entries (tenant_id text COLLATE "C" NOT NULL DEFAULT tenancy.current_tenant(), id int, account_id int,
    PRIMARY KEY (tenant_id, id), FOREIGN KEY (tenant_id, account_id) REFERENCES shop.accounts ON DELETE CASCADE);
CREATE INDEX entries_account ON shop.entries (tenant_id, account_id);
CREATE TABLE shop.bookings (tenant_id text COLLATE "C" NOT NULL DEFAULT tenancy.current_tenant(), during int4range, PRIMARY KEY (tenant_id, during));
CREATE EXTENSION btree_gist;
ALTER TABLE shop.bookings ADD EXCLUDE USING gist (tenant_id WITH =, during WITH &&);
\else
CREATE TABLE shop.accounts (tenant_id text COLLATE "C" DEFAULT tenancy.current_tenant(), id int PRIMARY KEY, email text UNIQUE, balance int, note text);
CREATE INDEX accounts_tenant ON shop.accounts (tenant_id);
CREATE INDEX accounts_balance ON shop.accounts (balance);
CREATE TABLE shop.entries (tenant_id text COLLATE "C" DEFAULT tenancy.current_tenant(), id int PRIMARY KEY, account_id int REFERENCES shop.accounts ON DELETE CASCADE);
CREATE TABLE shop.bookings (tenant_id text COLLATE "C" DEFAULT tenancy.current_tenant(), during int4range, EXCLUDE USING gist (during WITH &&));
\endif
INSERT INTO shop.accounts SELECT 'acme', n, 'a' || n || '@acme.example', n, 'fine' FROM generate_series(1, 100) n;
-- The canary: text that no session of acme may ever see.
INSERT INTO shop.accounts SELECT 'globex', 10000 + n, 'g' || n || '@globex.example', 10000 + n, 'CANARY-' || n FROM generate_series(1, 5000) n;
INSERT INTO shop.accounts VALUES ('globex', 777, 'ceo@globex.example', 987654, 'CANARY-ceo');
INSERT INTO shop.entries VALUES ('acme', 1, 1), ('globex', 1001, 777);
INSERT INTO shop.bookings VALUES ('acme', '[1,10)'), ('globex', '[100,200)');
ANALYZE shop.accounts;
\if :protected
SELECT format('ALTER TABLE shop.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY, OWNER TO attack_owner;
    GRANT SELECT, INSERT, UPDATE, DELETE ON shop.%1$I TO attack_app;
    CREATE POLICY tenant_rows ON shop.%1$I USING (true) WITH CHECK (true);
    CREATE POLICY tenant_wall ON shop.%1$I AS RESTRICTIVE USING (tenant_id = (SELECT tenancy.current_tenant())) WITH CHECK (tenant_id = (SELECT tenancy.current_tenant()))', t)
    FROM unnest('{accounts,entries,bookings}'::text[]) t \gexec
\else
SELECT format('ALTER TABLE shop.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY, OWNER TO attack_owner;
    GRANT ALL ON shop.%1$I TO attack_app;
    CREATE POLICY tenant ON shop.%1$I USING (tenant_id = tenancy.current_tenant())', t) FROM unnest('{accounts,entries,bookings}'::text[]) t \gexec
\endif
-- The guards of the module stand for application roles, and the floor under registered tables, where the
-- installed version has them; not in the textbook world.
SELECT current_setting('tenancy.guard', true) IS NOT NULL AND NOT :'protected' AS lift_guard, to_regclass('tenancy.protected_tables') IS NOT NULL AND :'protected' AS register \gset
\if :lift_guard
SELECT format('ALTER ROLE attack_app IN DATABASE %I SET tenancy.guard = off', current_database()) \gexec
\endif
\if :register
INSERT INTO tenancy.protected_tables (relation, tenant_column, added_column) SELECT c.oid, 'tenant_id', false FROM pg_class c WHERE c.relnamespace = 'shop'::regnamespace AND c.relkind = 'r';
\endif
-- What somebody adds later, in both worlds: policies that mean well (P12, P13), a view, a partial export.
CREATE POLICY support ON shop.bookings FOR SELECT USING (lower(during) = 100);
CREATE POLICY import ON shop.entries FOR INSERT WITH CHECK (true);
CREATE VIEW shop.rich AS SELECT * FROM shop.accounts WHERE balance > 50;
ALTER VIEW shop.rich OWNER TO attack_owner;
GRANT USAGE ON SCHEMA shop, tenancy TO attack_owner;
GRANT EXECUTE ON FUNCTION tenancy.current_tenant() TO attack_owner;
GRANT SELECT ON shop.rich TO attack_app;
INSERT INTO agent.sessions (tenant_id, session_id) VALUES ('acme', 'own'), ('globex', 'foreign');
INSERT INTO agent.feedback (tenant_id, feedback_id, trace_id, rating, comment, user_id)
    SELECT 'globex', 'f' || n, 't', 1, CASE WHEN n % 2 = 0 THEN 'CANARY' ELSE n::text END, 'carol' FROM generate_series(1, 1000) n;
INSERT INTO agent.files (tenant_id, file_id, user_id, filename, mime_type, size_bytes, sha256, parse_status)
    SELECT t, 'f' || n, 'carol', CASE WHEN n % 2 = 0 THEN 'CANARY' ELSE n::text END, 'text/plain', 1, repeat('0', 64), 'completed'
    FROM (VALUES ('globex', 300), ('acme', 1)) w (t, most), generate_series(1, most) n;
INSERT INTO agent.file_contents SELECT tenant_id, file_id, 'x' FROM agent.files;
INSERT INTO agent.file_usage SELECT tenant_id, count(*), sum(size_bytes) FROM agent.files GROUP BY 1;
INSERT INTO agent.work_items (tenant_id, id, title, created_by)
    SELECT 'globex', 'f' || n, CASE WHEN n % 2 = 0 THEN 'CANARY' ELSE n::text END, 'carol' FROM generate_series(1, 300) n;
SELECT tenancy.set_file_quota(NULL, 1000) \g /dev/null
ANALYZE agent.feedback, agent.files, agent.work_items;
SELECT lo_from_bytea(4242, 'CANARY-lo') \g /dev/null
ALTER LARGE OBJECT 4242 OWNER TO attack_app;

\ir words.sql
\if :protected
ALTER LARGE OBJECT 4242 OWNER TO attack_owner;
SELECT fix FROM tenancy.check_isolation() WHERE fix !~ '^--' AND object !~ '(attack|shop)\.' \gexec
\endif
