-- setup.sql: one pair of tables in a schema for each kind, so that none is warmer in the processor's cache than
-- another: by_hand, with_token and alone without row security, walled by protect_table(), and
-- with the policies that are common elsewhere. 100 tenants of 1000 orders, and tenant-1 with 100,000; each
-- order has two lines. psql variable: jwks.
CREATE EXTENSION pg_tenancy;
SELECT tenancy.add_issuer('https://dev.issuer.example', '{agents}', 'org_id');
SELECT * FROM tenancy.load_jwks('https://dev.issuer.example', :'jwks');
SELECT tenancy.add_tenant('tenant-' || n, 'https://dev.issuer.example', 'tenant-' || n) FROM generate_series(1, 101) n;
CREATE ROLE regress_app LOGIN;
SELECT tenancy.grant_app('regress_app');

CREATE SCHEMA by_hand;
CREATE TABLE by_hand.orders (tenant_id text COLLATE "C" NOT NULL, id bigint NOT NULL, at timestamptz NOT NULL DEFAULT now(),
    quantity int NOT NULL, note text NOT NULL, PRIMARY KEY (tenant_id, id));
CREATE TABLE by_hand.lines (tenant_id text COLLATE "C" NOT NULL, order_id bigint NOT NULL, line int NOT NULL, item text NOT NULL,
    PRIMARY KEY (tenant_id, order_id, line));
INSERT INTO by_hand.orders
SELECT 'tenant-' || t, n, timestamptz '2026-01-01 00:00Z' + n * interval '1 min', n % 1000, repeat('x', 40)
FROM generate_series(1, 101) t, generate_series(1, CASE t WHEN 1 THEN 100000 ELSE 1000 END) n ORDER BY n, t;
INSERT INTO by_hand.lines SELECT o.tenant_id, o.id, l, 'item ' || l FROM by_hand.orders o, generate_series(1, 2) l;
CREATE INDEX ON by_hand.orders (tenant_id, at);

SELECT format($$
    CREATE SCHEMA %1$I;
    CREATE TABLE %1$I.orders (LIKE by_hand.orders INCLUDING ALL);
    CREATE TABLE %1$I.lines (LIKE by_hand.lines INCLUDING ALL);
    INSERT INTO %1$I.orders SELECT * FROM by_hand.orders;
    INSERT INTO %1$I.lines SELECT * FROM by_hand.lines;
$$, name) FROM unnest('{with_token,walled,setting,claims,alone}'::text[]) name \gexec
-- For operators that are not LEAKPROOF: tenant-1 has all rows, which is when they are slow.
CREATE TYPE public.state AS ENUM ('done', 'open');
CREATE TABLE with_token.items (tenant_id text COLLATE "C" NOT NULL, id bigint NOT NULL, price numeric NOT NULL, state public.state NOT NULL,
    name text COLLATE "C" NOT NULL, doc jsonb NOT NULL, doc_k text COLLATE "C" GENERATED ALWAYS AS (doc ->> 'k') STORED, PRIMARY KEY (tenant_id, id));
INSERT INTO with_token.items (tenant_id, id, price, state, name, doc)
SELECT 'tenant-1', n, n / 100.0, CASE WHEN n % 10000 = 0 THEN 'open' ELSE 'done' END::public.state, 'name ' || n, jsonb_build_object('k', 'v' || n)
FROM generate_series(1, 100000) n;
CREATE EXTENSION btree_gin;
CREATE INDEX ON with_token.items (tenant_id, price);
CREATE INDEX ON with_token.items (tenant_id, state);
CREATE INDEX ON with_token.items (tenant_id, name);
CREATE INDEX ON with_token.items (tenant_id, doc_k);
CREATE INDEX ON with_token.items USING gin (tenant_id, doc jsonb_path_ops);

CREATE TABLE walled.items (LIKE with_token.items INCLUDING ALL);
INSERT INTO walled.items (tenant_id, id, price, state, name, doc) SELECT tenant_id, id, price, state, name, doc FROM with_token.items;
SELECT * FROM tenancy.protect_table('walled.items');
SELECT * FROM tenancy.protect_table('walled.orders');
SELECT * FROM tenancy.protect_table('walled.lines');
SELECT format($$
    ALTER TABLE %1$I.%2$I ALTER tenant_id SET DEFAULT %3$s, ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE POLICY tenant ON %1$I.%2$I USING (tenant_id = %3$s) WITH CHECK (tenant_id = %3$s);
$$, schema, name, tenant)
FROM (VALUES ('setting', $$current_setting('app.tenant')$$), ('claims', $$(current_setting('app.claims')::jsonb ->> 'org_id')$$)) AS s (schema, tenant),
    unnest('{orders,lines}'::text[]) name \gexec

SELECT format('GRANT USAGE ON SCHEMA %1$I TO regress_app; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %1$I TO regress_app', name)
FROM unnest('{by_hand,with_token,walled,setting,claims,alone}'::text[]) name \gexec
VACUUM (ANALYZE);
CHECKPOINT;
