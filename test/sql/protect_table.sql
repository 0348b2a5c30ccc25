-- protect_table() puts tables with rows in them behind the wall, says what it does, and unprotect_table() undoes it.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
SET client_min_messages = warning;
\a
CREATE SCHEMA shop;

-- everything about a table that protect_table() may touch, without the schema's name
CREATE FUNCTION shop.shape(s text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT replace(x, s || '.', '') FROM (
    SELECT format('%s column %s %s %s null=%s default=%s comment=%s', c.relname, a.attname, a.atttypid::regtype, a.attcollation::regcollation,
        NOT a.attnotnull, pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum WHERE c.relnamespace = s::regnamespace AND c.relkind = 'r'
    UNION ALL SELECT format('%s %s', pg_get_indexdef(i.indexrelid), obj_description(i.indexrelid)) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = s::regnamespace
    UNION ALL SELECT format('%s %s %s valid=%s %s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid), k.convalidated, obj_description(k.oid)) FROM pg_constraint k WHERE k.contype <> 'n' AND k.connamespace = s::regnamespace
    UNION ALL SELECT format('%s policy %s permissive=%s %s using %s check %s', p.polrelid::regclass, p.polname, p.polpermissive, p.polcmd, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
        FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE c.relnamespace = s::regnamespace
    UNION ALL SELECT format('%s rls=%s force=%s identity=%s acl=%s', c.relname, c.relrowsecurity, c.relforcerowsecurity, c.relreplident, c.relacl) FROM pg_class c WHERE c.relnamespace = s::regnamespace AND c.relkind = 'r') t (x)
    ORDER BY x COLLATE "C" $$;
CREATE FUNCTION shop.build(s text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE SCHEMA %I', s);
    EXECUTE format('SET LOCAL search_path = %I', s);
    CREATE TABLE customers (id int PRIMARY KEY, email text CONSTRAINT "e-mail ""key" UNIQUE, org text, parent int REFERENCES customers ON DELETE SET NULL, CHECK (email <> ''));
    COMMENT ON CONSTRAINT customers_pkey ON customers IS 'the number';
    CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int NOT NULL REFERENCES customers ON UPDATE CASCADE ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
        no text, amount numeric, twice numeric GENERATED ALWAYS AS (amount * 2) STORED, changed text DEFAULT 'no', UNIQUE NULLS NOT DISTINCT (no) INCLUDE (amount) DEFERRABLE);
    CREATE UNIQUE INDEX one_open ON orders (customer, lower(no)) WHERE amount IS NULL;
    CREATE INDEX newest ON orders (amount DESC NULLS LAST, no COLLATE "C" text_pattern_ops) WITH (fillfactor = 80);
    COMMENT ON INDEX newest IS 'newest';
    ALTER TABLE orders REPLICA IDENTITY USING INDEX orders_pkey;
    GRANT ALL ON customers, orders TO regress_app;
    GRANT REFERENCES (id) ON customers TO PUBLIC;
    INSERT INTO customers VALUES (1, 'a@a', 'acme', NULL), (2, 'g@g', 'globex', NULL), (3, 'b@a', 'acme', 1);
    INSERT INTO orders (customer, no, amount) VALUES (1, 'x', 1.50), (2, 'y', 2), (3, NULL, NULL);
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.changed := ''yes''; RETURN NEW; END';
    CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();
END $$;
SELECT shop.build('by_call'), shop.build('by_hand');
CREATE TABLE shop.before AS SELECT s FROM shop.shape('by_call') s;

-- a dry run changes nothing
SELECT step, action, statement, note FROM tenancy.protect_table('by_call.customers', backfill_query => 'org', dry_run => true);
SELECT count(*) AS changed FROM (SELECT shop.shape('by_call') EXCEPT SELECT s FROM shop.before) x;

-- a table whose keys another table refers to keeps them, and says so, until that one is protected, too
SELECT action, note FROM tenancy.protect_table('by_call.customers', backfill_query => 'org') WHERE statement IS NULL;
SELECT action, note FROM tenancy.protect_table('by_call.orders', backfill_query => 'SELECT c.tenant_id FROM by_call.customers c WHERE c.id = customer') WHERE statement IS NULL;
SELECT * FROM shop.shape('by_call');

-- a second run has nothing to do, and says so
RESET client_min_messages;
SELECT step FROM tenancy.protect_table('by_call.customers');
SELECT step FROM tenancy.protect_table('by_call.orders') WHERE step IS NOT NULL;
SET client_min_messages = warning;

-- the statements of the dry run, run by hand, come to the same
BEGIN;
\o /dev/null
\set ECHO none
SELECT statement FROM tenancy.protect_table('by_hand.customers', backfill_query => 'org', dry_run => true) WHERE step IS NOT NULL ORDER BY step \gexec
SELECT statement FROM tenancy.protect_table('by_hand.orders', backfill_query => 'SELECT c.tenant_id FROM by_hand.customers c WHERE c.id = customer', dry_run => true) WHERE step IS NOT NULL ORDER BY step \gexec
\set ECHO all
\o
COMMIT;
SELECT s AS differs FROM (SELECT shop.shape('by_call') EXCEPT SELECT shop.shape('by_hand')) x (s);
SELECT s AS differs FROM (SELECT shop.shape('by_hand') EXCEPT SELECT shop.shape('by_call')) x (s);
SELECT step FROM tenancy.protect_table('by_hand.orders') WHERE step IS NOT NULL;

-- rows have their tenant, and every other value they had: no trigger touched them
SELECT id, email, org, parent, tenant_id FROM by_call.customers ORDER BY id;
SELECT id, customer, no, amount, twice, changed, tenant_id FROM by_call.orders ORDER BY id;

-- unprotect_table() gives back what was there before; the column goes only where protect_table() added it
RESET client_min_messages;
SELECT action, statement, note FROM tenancy.unprotect_table('by_call.orders', drop_column => true);
SELECT action, statement, note FROM tenancy.unprotect_table('by_call.customers', drop_column => true);
SELECT action, statement, note FROM tenancy.unprotect_table('by_call.orders', drop_column => true);
SET client_min_messages = warning;
SELECT s AS differs FROM (SELECT shop.shape('by_call') EXCEPT SELECT s FROM shop.before) x (s);
SELECT s AS lost FROM (SELECT s FROM shop.before EXCEPT SELECT shop.shape('by_call')) x (s);
SELECT tenancy.unprotect_table('by_call.orders');
SELECT tenancy.unprotect_table('agent.sessions');

-- what the rows do not allow any more is reported, and stays as it is
INSERT INTO by_hand.customers (id, email, tenant_id) VALUES (1, 'a@a', 'globex');
SELECT DISTINCT action, note FROM tenancy.unprotect_table('by_hand.customers') WHERE action = 'not undone';
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid IN ('by_hand.customers'::regclass, 'by_hand.orders'::regclass) AND contype IN ('p', 'f') ORDER BY conrelid::regclass::text, conname;
SELECT relation, tenant_column, added_column FROM tenancy.protected_tables WHERE relation::text ~ 'by_';

-- one tenant for all rows needs no rewrite of the table
CREATE TABLE shop.single (id int PRIMARY KEY);
INSERT INTO shop.single SELECT generate_series(1, 1000);
SELECT pg_relation_filenode('shop.single') AS before, pg_relation_size('shop.single') AS size \gset
SELECT step, action, statement FROM tenancy.protect_table('shop.single', 'org', backfill_tenant => 'acme') WHERE action IN ('add column', 'default', 'backfill', 'not null');
SELECT pg_relation_filenode('shop.single') = :before AND pg_relation_size('shop.single') = :size AS untouched, count(*), min(org), max(org) FROM shop.single;

-- what was taken away or came without the tenant since, the next call mends
DROP POLICY tenant_wall ON shop.single;
ALTER TABLE shop.single NO FORCE ROW LEVEL SECURITY, ALTER COLUMN org DROP DEFAULT, ADD CONSTRAINT later UNIQUE (id);
GRANT TRUNCATE ON shop.single TO regress_app;
SELECT action, statement FROM tenancy.protect_table('shop.single', 'org') WHERE action <> 'register';
SELECT step FROM tenancy.protect_table('shop.single', 'org');

-- a table's own permissive policies go on deciding within the tenant
CREATE TABLE shop.own (tenant_id text COLLATE "C" NOT NULL DEFAULT current_setting('app.tenant'), owner text);
ALTER TABLE shop.own ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON shop.own USING (owner = 'x');
CREATE POLICY tenant_wall ON shop.own AS RESTRICTIVE USING (true);
SELECT action, statement, note FROM tenancy.protect_table('shop.own') WHERE action <> 'register';
SELECT tenancy.unprotect_table('shop.own') \g /dev/null
SELECT pg_get_expr(adbin, adrelid) AS default_again FROM pg_attrdef WHERE adrelid = 'shop.own'::regclass;

-- what the wall does not cover is said: views, materialized views, common sequences, keys that cannot follow
CREATE TABLE shop.kinds (kind char(1) PRIMARY KEY);
CREATE TABLE shop.many (id serial, at int4range, kind char(1) REFERENCES shop.kinds, words tsvector, a int, b int, tenant_id text COLLATE "C" NOT NULL,
    UNIQUE (a, b), UNIQUE (id, tenant_id), EXCLUDE USING gist (at WITH &&));
CREATE INDEX ON shop.many USING gin (words);
CREATE TABLE shop.part (a int, b int, tenant_id text COLLATE "C" NOT NULL, FOREIGN KEY (a, b) REFERENCES shop.many (a, b) MATCH FULL);
CREATE VIEW shop.open_view AS SELECT * FROM shop.many;
CREATE VIEW shop.safe_view WITH (security_invoker = true) AS SELECT * FROM shop.many;
CREATE MATERIALIZED VIEW shop.copy AS SELECT * FROM shop.many;
SELECT count(*) > 0 AS protected FROM tenancy.protect_table('shop.part');
SELECT action, note FROM tenancy.protect_table('shop.many') WHERE statement IS NULL;

DROP SCHEMA shop, by_call, by_hand CASCADE;
SELECT count(*) AS left_over FROM tenancy.protected_tables WHERE relation::oid NOT IN (SELECT oid FROM pg_class);
