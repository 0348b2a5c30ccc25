-- Partitioned tables on both sides of a foreign key: protected as one, partitions that come later too, and undone.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
SET client_min_messages = warning;
\a
CREATE SCHEMA part;
CREATE FUNCTION part.shape() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT format('%s %s %s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid)) FROM pg_constraint k WHERE k.connamespace = 'part'::regnamespace AND k.contype <> 'n' AND k.conparentid = 0
    UNION ALL SELECT pg_get_indexdef(c.oid) FROM pg_class c WHERE c.relnamespace = 'part'::regnamespace AND c.relkind IN ('i', 'I')
    UNION ALL SELECT format('%s %s %s default=%s', c.relname, c.relrowsecurity, c.relforcerowsecurity, pg_get_expr(d.adbin, d.adrelid)) FROM pg_class c LEFT JOIN pg_attrdef d ON d.adrelid = c.oid
        WHERE c.relnamespace = 'part'::regnamespace AND c.relkind IN ('r', 'p')
    ORDER BY 1 $$;
CREATE TABLE part.parent (id int, d int, PRIMARY KEY (id, d)) PARTITION BY RANGE (d);
CREATE TABLE part.parent_1 PARTITION OF part.parent FOR VALUES FROM (0) TO (10);
CREATE UNIQUE INDEX local ON part.parent_1 (id);
CREATE TABLE part.child (id int PRIMARY KEY, parent int, d int, FOREIGN KEY (parent, d) REFERENCES part.parent ON DELETE CASCADE);
CREATE TABLE part.split (id int, parent int, d int, FOREIGN KEY (parent, d) REFERENCES part.parent) PARTITION BY LIST (id);
CREATE TABLE part.split_1 PARTITION OF part.split DEFAULT;
INSERT INTO part.parent VALUES (1, 1), (2, 2);
INSERT INTO part.child VALUES (1, 1, 1), (2, 2, 2);
INSERT INTO part.split VALUES (1, 1, 1);
CREATE TABLE public.part_before AS SELECT s FROM part.shape() s;

SELECT note FROM tenancy.protect_table('part.parent', backfill_query => 'CASE id WHEN 1 THEN ''acme'' ELSE ''globex'' END') WHERE step IS NULL;
SELECT note FROM tenancy.protect_table('part.child', backfill_query => 'CASE id WHEN 1 THEN ''acme'' ELSE ''globex'' END') WHERE step IS NULL;
SELECT statement FROM tenancy.protect_table('part.split', backfill_tenant => 'acme') WHERE action LIKE '%reference%' OR action IN ('tenant first', 'validate');
SELECT * FROM part.shape();
SELECT tableoid::regclass, * FROM part.parent ORDER BY id;
SELECT tableoid::regclass, * FROM part.split ORDER BY id;

-- partitions that come later, with keys of their own; one that leaves keeps its wall
CREATE TABLE part.parent_2 PARTITION OF part.parent FOR VALUES FROM (10) TO (20);
CREATE TABLE part.parent_3 (id int NOT NULL, d int NOT NULL, tenant_id text COLLATE "C" NOT NULL, CONSTRAINT one UNIQUE (id));
ALTER TABLE part.parent ATTACH PARTITION part.parent_3 FOR VALUES FROM (20) TO (30);
SELECT s FROM part.shape() s WHERE s ~ 'parent_[23]';
SELECT step FROM tenancy.protect_table('part.parent');
ALTER TABLE part.parent DETACH PARTITION part.parent_2;
SELECT relation FROM tenancy.protected_tables WHERE relation::text ~ '^part\.' ORDER BY relation::text;
ALTER TABLE part.parent DETACH PARTITION part.parent_3;
SELECT statement FROM tenancy.unprotect_table('part.parent_3');
DROP TABLE part.parent_2, part.parent_3;

SELECT count(*) FILTER (WHERE action = 'not undone') AS not_undone FROM tenancy.unprotect_table('part.parent', drop_column => true);
SELECT count(*) FILTER (WHERE action = 'not undone') AS not_undone FROM tenancy.unprotect_table('part.child', drop_column => true);
SELECT count(*) FILTER (WHERE action = 'not undone') AS not_undone FROM tenancy.unprotect_table('part.split', drop_column => true);
SELECT s AS differs FROM (SELECT part.shape() EXCEPT SELECT s FROM public.part_before) x (s);
SELECT s AS lost FROM (SELECT s FROM public.part_before EXCEPT SELECT part.shape()) x (s);
DROP SCHEMA part CASCADE;
DROP TABLE public.part_before;
SELECT count(*) AS left_over FROM tenancy.protected_tables WHERE relation::oid NOT IN (SELECT oid FROM pg_class);
