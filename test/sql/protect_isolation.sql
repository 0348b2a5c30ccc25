-- Tables of protect_table(): the application's role, with a token of one tenant, meets only that tenant.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
SET client_min_messages = warning;
CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO regress_app;
CREATE TABLE shop.customers (id int PRIMARY KEY, email text UNIQUE);
CREATE TABLE shop.orders (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), customer int REFERENCES shop.customers ON DELETE CASCADE, amount numeric);
CREATE TABLE shop.events (id int, day date, what text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE shop.events_1 PARTITION OF shop.events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
INSERT INTO shop.customers VALUES (1, 'ceo@acme'), (2, 'ceo@globex');
INSERT INTO shop.orders (customer, amount) VALUES (1, 10), (2, 2000);
INSERT INTO shop.events VALUES (1, '2026-01-01', 'acme'), (2, '2026-01-02', 'globex');
GRANT ALL ON ALL TABLES IN SCHEMA shop TO regress_app;
SELECT count(*) > 0 AS protected FROM tenancy.protect_table('shop.customers', backfill_query => 'CASE id WHEN 1 THEN ''acme'' ELSE ''globex'' END');
SELECT count(*) > 0 AS protected FROM tenancy.protect_table('shop.orders', backfill_query => 'SELECT c.tenant_id FROM shop.customers c WHERE c.id = customer');
SELECT count(*) > 0 AS protected FROM tenancy.protect_table('shop.events', backfill_query => 'what');
CREATE TABLE shop.events_2 PARTITION OF shop.events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
GRANT ALL ON shop.events_2 TO regress_app;
CREATE VIEW shop.safe WITH (security_invoker = true) AS SELECT * FROM shop.customers;
GRANT SELECT ON shop.safe TO regress_app;

\c - regress_app
-- without a tenant: nothing
SELECT count(*) FROM shop.customers;
INSERT INTO shop.customers (id) VALUES (7);
SELECT count(*) FROM shop.events_1;

BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
-- reading: by table, partition, view, address, whole row
SELECT id, email FROM shop.customers;
SELECT amount FROM shop.orders;
SELECT what FROM shop.events;
SELECT what FROM shop.events_1;
SELECT email FROM shop.safe;
SELECT count(*) FROM shop.customers WHERE ctid = '(0,2)' OR ctid = '(0,4)';
SELECT count(*) FROM shop.customers WHERE email = 'ceo@globex' OR tenant_id = 'globex';
SELECT string_agg(c::text, ' ') FROM shop.customers c;
COPY (SELECT id, email FROM shop.customers) TO STDOUT;
COPY shop.customers TO STDOUT;
SAVEPOINT here;
COPY shop.customers (id, email) FROM STDIN;
\.
ROLLBACK TO here;
-- writing: only its own rows, RETURNING shows no other
UPDATE shop.customers SET email = 'x' RETURNING id, tenant_id;
ROLLBACK TO here;
DELETE FROM shop.customers WHERE id = 2 RETURNING *;
DELETE FROM shop.orders RETURNING amount;
DELETE FROM shop.events_1 RETURNING what;
ROLLBACK TO here;
SELECT id FROM shop.customers FOR UPDATE;
INSERT INTO shop.customers (id, tenant_id) VALUES (9, 'globex');
ROLLBACK TO here;
UPDATE shop.customers SET tenant_id = 'globex';
ROLLBACK TO here;
INSERT INTO shop.events_1 (id, day, tenant_id) VALUES (9, '2026-01-05', 'globex');
ROLLBACK TO here;
INSERT INTO shop.events_2 (id, day, tenant_id) VALUES (9, '2026-02-05', 'globex');
ROLLBACK TO here;
MERGE INTO shop.customers c USING (VALUES (1, 'm1'), (2, 'm2')) v (id, email) ON c.id = v.id
    WHEN MATCHED THEN UPDATE SET email = v.email, tenant_id = 'globex' WHEN NOT MATCHED THEN INSERT (id, email) VALUES (v.id, v.email);
ROLLBACK TO here;
-- keys of others are free: none of these tells that globex has customer 2, or that address
MERGE INTO shop.customers c USING (VALUES (2, 'ceo@globex')) v (id, email) ON c.id = v.id
    WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED THEN INSERT (id, email) VALUES (v.id, v.email);
SELECT id, email, tenant_id FROM shop.customers ORDER BY id;
ROLLBACK TO here;
INSERT INTO shop.customers (id, email) VALUES (2, 'ceo@globex'), (3, 'free') ON CONFLICT DO NOTHING RETURNING id;
ROLLBACK TO here;
INSERT INTO shop.customers (id, email) VALUES (2, 'ceo@globex') ON CONFLICT (tenant_id, id) DO UPDATE SET email = 'taken' RETURNING email;
ROLLBACK TO here;
INSERT INTO shop.customers (id, email) VALUES (2, 'ceo@globex') ON CONFLICT (id) DO NOTHING;
ROLLBACK TO here;
-- a reference to another's row fails like one to none, and deleting does not reach across
INSERT INTO shop.orders (customer) VALUES (2);
ROLLBACK TO here;
INSERT INTO shop.orders (customer) VALUES (999);
ROLLBACK TO here;
DELETE FROM shop.customers RETURNING id;
ROLLBACK TO here;
-- what row security does not stop, the privileges do
\set VERBOSITY sqlstate
TRUNCATE shop.customers CASCADE;
ROLLBACK TO here;
TRUNCATE shop.events_1;
ROLLBACK TO here;
CREATE TRIGGER spy AFTER INSERT ON shop.customers EXECUTE FUNCTION suppress_redundant_updates_trigger();
ROLLBACK TO here;
\set VERBOSITY terse
SELECT has_table_privilege(t, p) AS has, t, p FROM unnest('{shop.customers,shop.orders,shop.events,shop.events_1}'::regclass[]) t, unnest('{TRUNCATE,REFERENCES,TRIGGER}'::text[]) p WHERE has_table_privilege(t, p);
-- none of the functions are for it
SELECT tenancy.unprotect_table('shop.customers');
ROLLBACK TO here;
SELECT tenancy.protect_table('shop.customers');
ROLLBACK TO here;
SELECT * FROM tenancy.protected_tables;
ROLLBACK TO here;
SELECT tenancy.run_as_owner('shop.customers', 'SELECT 1');
ROLLBACK;

-- the other tenant has what it had, and can have the same keys
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_globex_carol');
SELECT id, email FROM shop.customers;
SELECT amount FROM shop.orders;
SELECT what FROM shop.events;
INSERT INTO shop.customers (id, email) VALUES (1, 'ceo@acme') RETURNING tenant_id;
COMMIT;

-- a role that becomes an application role later loses the same privileges
\c - :admin
CREATE ROLE regress_late LOGIN;
GRANT ALL ON shop.customers TO regress_late;
SELECT tenancy.grant_app('regress_late');
SELECT string_agg(a.privilege_type, ' ' ORDER BY a.privilege_type) FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = 'shop.customers'::regclass AND a.grantee = 'regress_late'::regrole;
SELECT tenancy.revoke_app('regress_late');
DROP OWNED BY regress_late;
DROP ROLE regress_late;
SET client_min_messages = warning;
DROP SCHEMA shop CASCADE;
