-- protect_table_in_batches(): protect_table() for large tables, which commits as it goes.

-- Gives a tenant to the rows of some pages of one table or partition; returns how many. Pages past the end
-- are empty. Run again it does nothing, so an interrupted backfill can begin anew.
CREATE FUNCTION tenancy.protect_pages(relation regclass, tenant_column name, backfill text, first_page bigint, pages int)
    RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    silenced CONSTANT boolean := has_parameter_privilege('session_replication_role', 'SET');
    before   CONSTANT text := current_setting('session_replication_role');
    changed  bigint;
BEGIN
    IF silenced THEN
        PERFORM set_config('session_replication_role', 'replica', true);
    END IF;
    changed := tenancy.run_as_owner(relation, format('WITH u AS (UPDATE ONLY %1$s SET %2$I = %3$s WHERE %2$I IS NULL '
        'AND ctid >= ''(%4$s,0)'' AND ctid < ''(%5$s,0)'' RETURNING 1) SELECT pg_catalog.count(*) FROM u',
        relation, tenant_column, backfill, first_page, least(first_page + pages, 4294967295)))::bigint;
    IF silenced THEN
        PERFORM set_config('session_replication_role', before, true);
    END IF;
    RETURN changed;
END
$$;
COMMENT ON FUNCTION tenancy.protect_pages(regclass, name, text, bigint, int) IS
    'Internal: one batch of the backfill; returns how many rows got their tenant';
REVOKE ALL ON FUNCTION tenancy.protect_pages(regclass, name, text, bigint, int) FROM PUBLIC;

-- Where the backfill of a table and its partitions has to go: relation, page to begin with, share done in percent.
CREATE FUNCTION tenancy.protect_batches(target regclass, tenant_column name, backfill_tenant text, backfill_query text, pages int)
    RETURNS TABLE (relation regclass, first_page bigint, percent int)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH leaf AS (
        SELECT c.oid::regclass AS relation, pg_relation_size(c.oid) / current_setting('block_size')::int AS size
        FROM tenancy.protect_tree(target) t (r) JOIN pg_class c ON c.oid = t.r WHERE c.relkind = 'r'),
    batch AS (
        SELECT l.relation, p.first_page, row_number() OVER w AS place, count(*) OVER () AS total
        FROM leaf l, LATERAL generate_series(0, l.size - 1, pages) p (first_page)
        WINDOW w AS (ORDER BY l.relation::text, p.first_page))
    SELECT b.relation, b.first_page, (100 * b.place / b.total)::int
    FROM batch b WHERE tenancy.protect_backfills(target, tenant_column, backfill_tenant, backfill_query) ORDER BY b.place;
END;
COMMENT ON FUNCTION tenancy.protect_batches(regclass, name, text, text, int) IS 'Internal: the batches of a backfill, in order';
REVOKE ALL ON FUNCTION tenancy.protect_batches(regclass, name, text, text, int) FROM PUBLIC;

CREATE FUNCTION tenancy.protect_progress(target regclass, percent int, changed bigint) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE NOTICE 'table %: % percent of the backfill done, % rows in this batch', target, percent, changed;
END
$$;
COMMENT ON FUNCTION tenancy.protect_progress(regclass, int, bigint) IS 'Internal: tells how far a backfill is';
REVOKE ALL ON FUNCTION tenancy.protect_progress(regclass, int, bigint) FROM PUBLIC;

-- Statements by which somebody else can build the indexes without holding up writers. A partitioned table's
-- cannot be built so.
CREATE FUNCTION tenancy.protect_pending_indexes(target regclass, tenant_column name) RETURNS SETOF text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT regexp_replace(s.statement, '^CREATE (UNIQUE )?INDEX ', 'CREATE \1INDEX CONCURRENTLY ')
    FROM tenancy.protect_plan(target, tenant_column, NULL, NULL) s JOIN pg_class c ON c.oid = s.relation
    WHERE s.phase = 5 AND c.relkind = 'r';
END;
COMMENT ON FUNCTION tenancy.protect_pending_indexes(regclass, name) IS
    'Internal: the indexes that protect_table() would build, as CREATE INDEX CONCURRENTLY';
REVOKE ALL ON FUNCTION tenancy.protect_pending_indexes(regclass, name) FROM PUBLIC;

CREATE FUNCTION tenancy.protect_waits_for_indexes(target regclass, tenant_column name) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    statements CONSTANT text := (SELECT string_agg(s || ';', E'\n') FROM tenancy.protect_pending_indexes(target, tenant_column) s);
BEGIN
    IF statements IS NOT NULL THEN
        RAISE NOTICE 'table % is not protected yet', target
            USING DETAIL = statements, HINT = 'Run these statements, then call protect_table_in_batches() again.';
    END IF;
    RETURN statements IS NOT NULL;
END
$$;
COMMENT ON FUNCTION tenancy.protect_waits_for_indexes(regclass, name) IS
    'Internal: whether indexes are missing that are to be built by hand; says which';
REVOKE ALL ON FUNCTION tenancy.protect_waits_for_indexes(regclass, name) FROM PUBLIC;

-- A procedure that commits may have no SET clause; its own expressions name every function, type and operator.
CREATE PROCEDURE tenancy.protect_table_in_batches(target regclass, tenant_column name DEFAULT 'tenant_id',
        backfill_tenant text DEFAULT NULL, backfill_query text DEFAULT NULL, pages int DEFAULT 1000, build_indexes boolean DEFAULT true)
    LANGUAGE plpgsql
AS $$
DECLARE
    backfill CONSTANT pg_catalog.text := tenancy.protect_backfill(backfill_tenant, backfill_query);
    batch    record;
    changed  pg_catalog.int8;
BEGIN
    PERFORM tenancy.require(pages OPERATOR(pg_catalog.>) 0, 'pages must be positive', 'Give the pages of a batch, 8 kB each.');
    FOR phase IN 1..7 LOOP
        IF phase OPERATOR(pg_catalog.=) 5 AND NOT build_indexes AND tenancy.protect_waits_for_indexes(target, tenant_column) THEN
            RETURN;
        ELSIF phase OPERATOR(pg_catalog.<>) 2 THEN
            PERFORM tenancy.protect_phase(target, tenant_column, backfill_tenant, backfill_query, phase);
        ELSIF backfill IS NOT NULL THEN
            FOR batch IN SELECT b.relation, b.first_page, b.percent
                    FROM tenancy.protect_batches(target, tenant_column, backfill_tenant, backfill_query, pages) AS b LOOP
                changed := tenancy.protect_pages(batch.relation, tenant_column, backfill, batch.first_page, pages);
                COMMIT;
                PERFORM tenancy.protect_progress(batch.relation, batch.percent, changed);
            END LOOP;
        END IF;
        COMMIT;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE tenancy.protect_table_in_batches(regclass, name, text, text, int, boolean) IS
    'As protect_table(), for large tables: commits after each phase and after each batch of pages (8 kB), says how far it is, and goes on where it was interrupted when called again. build_indexes => false stops before the indexes and names them, so that they can be built CONCURRENTLY';
REVOKE ALL ON PROCEDURE tenancy.protect_table_in_batches(regclass, name, text, text, int, boolean) FROM PUBLIC;
