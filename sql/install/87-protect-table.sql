-- protect_table() and protect_table_in_batches(), for a table's owner who has tenancy.grant_protect() and for
-- superusers. They run as the caller; whatever can run code of the table's owner runs with the owner's rights.

-- Refuses when the name no longer is the relation that was meant: from then on the lock holds it.
CREATE FUNCTION tenancy.protect_lock(target regclass, mode text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    name CONSTANT text := target::text;
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'protecting a table needs transaction isolation READ COMMITTED' USING ERRCODE = 'feature_not_supported',
            DETAIL = 'A snapshot from before the lock does not see every row.', HINT = 'Begin the transaction with ISOLATION LEVEL READ COMMITTED.';
    END IF;
    EXECUTE format('LOCK TABLE %s IN %s MODE', name, mode);
    IF to_regclass(name) IS DISTINCT FROM target THEN
        RAISE EXCEPTION 'table % was renamed or replaced in the meantime', name
            USING ERRCODE = 'object_in_use', HINT = 'Call the function again.';
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.protect_lock(regclass, text) IS 'Internal: locks a table and its partitions';
REVOKE ALL ON FUNCTION tenancy.protect_lock(regclass, text) FROM PUBLIC;

CREATE FUNCTION tenancy.protect_run(step tenancy.protect_step) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $$
BEGIN
    IF step.as_owner THEN
        PERFORM tenancy.run_as_owner(step.relation, step.statement);
    ELSE
        EXECUTE step.statement;
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.protect_run(tenancy.protect_step) IS 'Internal: runs one step';
REVOKE ALL ON FUNCTION tenancy.protect_run(tenancy.protect_step) FROM PUBLIC;

CREATE FUNCTION tenancy.protect_table(target regclass, tenant_column name DEFAULT 'tenant_id', backfill_tenant text DEFAULT NULL,
        backfill_query text DEFAULT NULL, dry_run boolean DEFAULT false)
    RETURNS TABLE (step int, action text, statement text, note text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    backfill CONSTANT text := tenancy.protect_backfill(backfill_tenant, backfill_query);
    one      tenancy.protect_step;
BEGIN
    PERFORM tenancy.protect_require(target, tenant_column, tenancy.protect_backfills(target, tenant_column, backfill_tenant, backfill_query));
    IF NOT dry_run THEN
        PERFORM tenancy.protect_lock(target, 'ACCESS EXCLUSIVE');
    END IF;
    step := 0;
    FOR one IN SELECT * FROM tenancy.protect_plan(target, tenant_column, backfill_tenant, backfill) LOOP
        IF step = 0 AND one.phase < 8 AND NOT EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = target) THEN
            PERFORM tenancy.protect_require_tenants(target, tenant_column, backfill);
        END IF;
        IF one.statement IS NOT NULL AND NOT dry_run THEN
            PERFORM tenancy.protect_run(one);
        END IF;
        action := one.action;
        statement := one.statement;
        note := one.note;
        IF one.statement IS NOT NULL THEN
            step := step + 1;
            RETURN NEXT;
        ELSE
            RETURN QUERY SELECT NULL::int, one.action, NULL::text, one.note;
        END IF;
    END LOOP;
    IF step = 0 THEN
        RAISE NOTICE 'table % is protected already; there is nothing to do', target;
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.protect_table(regclass, name, text, text, boolean) IS
    'Puts a table behind the wall in one transaction and returns the statements; dry_run only returns them. Holds an ACCESS EXCLUSIVE lock to the end of the transaction. 55000 and the reasons when it cannot be, 23514 when a row has no registered tenant';
REVOKE ALL ON FUNCTION tenancy.protect_table(regclass, name, text, text, boolean) FROM PUBLIC;

-- One phase, for the procedure. Before the switch writers go on; only other changes of the table wait.
CREATE FUNCTION tenancy.protect_phase(target regclass, tenant_column name, backfill_tenant text, backfill_query text, phase int)
    RETURNS int
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    backfill CONSTANT text := tenancy.protect_backfill(backfill_tenant, backfill_query);
    one      tenancy.protect_step;
    count    int := 0;
BEGIN
    PERFORM tenancy.protect_require(target, tenant_column,
        tenancy.protect_backfills(target, tenant_column, backfill_tenant, backfill_query));
    PERFORM tenancy.protect_lock(target, CASE WHEN phase = 6 THEN 'ACCESS EXCLUSIVE' ELSE 'SHARE UPDATE EXCLUSIVE' END);
    IF phase IN (1, 4) AND NOT EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = target) THEN
        PERFORM tenancy.protect_require_tenants(target, tenant_column, CASE WHEN phase = 1 THEN backfill END);
    END IF;
    FOR one IN SELECT * FROM tenancy.protect_plan(target, tenant_column, backfill_tenant, backfill) s WHERE s.phase = protect_phase.phase LOOP
        PERFORM tenancy.protect_run(one);
        count := count + 1;
    END LOOP;
    RETURN count;
END
$$;
COMMENT ON FUNCTION tenancy.protect_phase(regclass, name, text, text, int) IS
    'Internal: runs the steps of one phase and returns how many there were';
REVOKE ALL ON FUNCTION tenancy.protect_phase(regclass, name, text, text, int) FROM PUBLIC;
