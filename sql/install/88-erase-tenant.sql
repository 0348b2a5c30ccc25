-- erase_tenant(): removes everything of a tenant, in batches that commit, and keeps a receipt.

CREATE TABLE tenancy.erasures (
    tenant_id text COLLATE "C" PRIMARY KEY,
    started_at timestamptz NOT NULL,
    started_by name NOT NULL,
    keep_audit boolean NOT NULL,
    audit_head text,
    row_counts jsonb NOT NULL DEFAULT '{}' CHECK (pg_catalog.jsonb_typeof(row_counts) = 'object'),
    finished_at timestamptz,
    receipt text,
    CHECK ((finished_at IS NULL) = (receipt IS NULL))
);
REVOKE ALL ON TABLE tenancy.erasures FROM PUBLIC;
COMMENT ON TABLE tenancy.erasures IS
    'Receipts of erased tenants, and erasures under way (finished_at IS NULL). A tenant id that is here is not used again';
COMMENT ON COLUMN tenancy.erasures.row_counts IS 'Rows removed, by table';
COMMENT ON COLUMN tenancy.erasures.audit_head IS 'The tenant''s last tenancy.audit_head(), against which an exported audit log can be checked';
COMMENT ON COLUMN tenancy.erasures.receipt IS 'SHA-256 of the row and of the receipt that finished before it, see tenancy.receipt_of()';

CREATE FUNCTION tenancy.is_being_erased(tenant text) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (SELECT FROM tenancy.erasures e WHERE e.tenant_id = tenant AND e.finished_at IS NULL AND NOT e.keep_audit);
END;
COMMENT ON FUNCTION tenancy.is_being_erased(text) IS 'Internal: whether the audit rows of a tenant may go, as all of it goes';
REVOKE ALL ON FUNCTION tenancy.is_being_erased(text) FROM PUBLIC;

CREATE FUNCTION tenancy.refuse_erased() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM tenancy.erasures e WHERE e.tenant_id = NEW.tenant_id) THEN
        RAISE EXCEPTION 'tenant "%" was erased', NEW.tenant_id USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = 'Its id is on a receipt in tenancy.erasures: a new tenant under it could be taken for the old one.',
            HINT = 'Choose another tenant id.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION tenancy.refuse_erased() IS 'The id of an erased tenant is not used again';
REVOKE ALL ON FUNCTION tenancy.refuse_erased() FROM PUBLIC;

CREATE TRIGGER refuse_erased BEFORE INSERT OR UPDATE ON tenancy.tenants
    FOR EACH ROW WHEN (NEW.status = 'active') EXECUTE FUNCTION tenancy.refuse_erased();
CREATE TRIGGER refuse_erased BEFORE INSERT OR UPDATE ON tenancy.tenant_claims
    FOR EACH ROW EXECUTE FUNCTION tenancy.refuse_erased();
COMMENT ON TRIGGER refuse_erased ON tenancy.tenants IS 'An erased tenant stays erased';
COMMENT ON TRIGGER refuse_erased ON tenancy.tenant_claims IS 'An erased tenant stays erased';

CREATE FUNCTION tenancy.receipt_of(e tenancy.erasures) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
BEGIN ATOMIC
    SELECT encode(sha256(convert_to(jsonb_build_array(1, e.tenant_id, e.started_at, e.started_by, e.keep_audit, e.audit_head,
        e.row_counts, e.finished_at, (SELECT p.receipt FROM tenancy.erasures p WHERE p.finished_at < e.finished_at
            ORDER BY p.finished_at DESC LIMIT 1))::text, 'UTF8')), 'hex');
END;
COMMENT ON FUNCTION tenancy.receipt_of(tenancy.erasures) IS
    'The receipt that a finished erasure must have: SHA-256 over the row and the receipt before it';
REVOKE ALL ON FUNCTION tenancy.receipt_of(tenancy.erasures) FROM PUBLIC;

CREATE FUNCTION tenancy.lock_erasure(tenant text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT tenancy.lock_task('tenant ' || tenant, false) THEN
        RAISE EXCEPTION 'tenant "%" is being erased or imported by another session', tenant USING ERRCODE = 'object_in_use',
            HINT = 'Wait for it; an erasure that was interrupted goes on when it is called again.';
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.lock_erasure(text) IS 'Internal: raises 55006 unless this transaction is the only one at it';
REVOKE ALL ON FUNCTION tenancy.lock_erasure(text) FROM PUBLIC;

-- With the claims gone no token names the tenant any more.
CREATE FUNCTION tenancy.begin_erasure(tenant text, keep_audit boolean) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.require_superuser('erase');
    PERFORM tenancy.lock_erasure(tenant);
    PERFORM tenancy.require(EXISTS (SELECT FROM tenancy.tenants t WHERE t.tenant_id = tenant),
        format('tenant "%s" is not registered', left(tenant, 100)), 'See tenancy.tenants, and tenancy.erasures for those that are erased.');
    PERFORM tenancy.require(EXISTS (SELECT FROM tenancy.tenants t WHERE t.tenant_id = tenant AND t.status = 'suspended'),
        format('tenant "%s" is active', tenant), format('SELECT tenancy.suspend_tenant(%L) first.', tenant));
    PERFORM tenancy.require(NOT EXISTS (SELECT FROM tenancy.erasures e WHERE e.tenant_id = tenant AND e.finished_at IS NOT NULL),
        format('tenant "%s" was erased', tenant), 'See its receipt in tenancy.erasures.');
    DELETE FROM tenancy.tenant_claims c WHERE c.tenant_id = tenant;
    INSERT INTO tenancy.erasures (tenant_id, started_at, started_by, keep_audit, audit_head)
        VALUES (tenant, clock_timestamp(), session_user, begin_erasure.keep_audit,
            (SELECT h.seal_no || ' ' || h.sha256 FROM tenancy.audit_head(tenant) h))
        ON CONFLICT (tenant_id) DO NOTHING;
END
$$;
COMMENT ON FUNCTION tenancy.begin_erasure(text, boolean) IS 'Internal: begins an erasure, or goes on with one';
REVOKE ALL ON FUNCTION tenancy.begin_erasure(text, boolean) FROM PUBLIC;

-- Rows that reference rows of the same table go at once: of one batch some could be referenced by the next. The planner
-- expects a million tables here, and would compile the query.
CREATE FUNCTION tenancy.erasable_tables(tenant text) RETURNS TABLE (relation regclass, tenant_column name, at_once boolean)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
    SELECT c.oid::regclass, t.tenant_column, EXISTS (SELECT FROM pg_constraint k
        WHERE k.contype = 'f' AND k.conrelid = t.relation AND k.confrelid = t.relation)
    FROM tenancy.tenant_tables() t CROSS JOIN LATERAL tenancy.protect_tree(t.relation) p(r) JOIN pg_class c ON c.oid = p.r
    WHERE c.relkind = 'r' AND NOT (t.relation IN ('agent.audit_log'::regclass, 'agent.audit_seals'::regclass)
        AND (SELECT e.keep_audit FROM tenancy.erasures e WHERE e.tenant_id = tenant))
    ORDER BY t.depth DESC, c.oid::regclass::text COLLATE "C";
END;
COMMENT ON FUNCTION tenancy.erasable_tables(text) IS 'Internal: tables and partitions to erase, those first that reference others';
REVOKE ALL ON FUNCTION tenancy.erasable_tables(text) FROM PUBLIC;

CREATE FUNCTION tenancy.erase_batch(tenant text, batch_rows int) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t record;
    removed bigint;
BEGIN
    PERFORM tenancy.lock_erasure(tenant);
    FOR t IN SELECT * FROM tenancy.erasable_tables(tenant) LOOP
        EXECUTE format('DELETE FROM %1$s WHERE ctid = ANY (ARRAY(SELECT x.ctid FROM %1$s x WHERE x.%2$I = $1 LIMIT $2))',
            t.relation, t.tenant_column) USING tenant, CASE WHEN NOT t.at_once THEN batch_rows END;
        GET DIAGNOSTICS removed = ROW_COUNT;
        IF removed > 0 THEN
            UPDATE tenancy.erasures e SET row_counts = e.row_counts || jsonb_build_object(t.relation::text,
                coalesce((e.row_counts ->> t.relation::text)::bigint, 0) + removed) WHERE e.tenant_id = tenant;
            RETURN removed;
        END IF;
    END LOOP;
    RETURN 0;
END
$$;
COMMENT ON FUNCTION tenancy.erase_batch(text, int) IS 'Internal: removes up to so many rows of one table, and counts them; 0: none are left';
REVOKE ALL ON FUNCTION tenancy.erase_batch(text, int) FROM PUBLIC;

-- With keep_audit the tenant stays registered, suspended for good, so that its log can be sealed, verified and, by its
-- age, purged.
CREATE FUNCTION tenancy.finish_erasure(tenant text) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    done tenancy.erasures;
    t record;
    left_over bigint;
BEGIN
    PERFORM tenancy.lock_erasure(tenant);
    FOR t IN SELECT * FROM tenancy.erasable_tables(tenant) LOOP
        EXECUTE format('SELECT count(*) FROM %s x WHERE x.%I = $1', t.relation, t.tenant_column) INTO left_over USING tenant;
        PERFORM tenancy.require(left_over = 0, format('%s rows of tenant "%s" in %s cannot be removed', left_over, tenant, t.relation),
            'A trigger of the table keeps them, or somebody adds rows: end that, and call tenancy.erase_tenant() again.');
    END LOOP;
    DELETE FROM tenancy.rate_limits r WHERE r.tenant_id = tenant;
    DELETE FROM tenancy.file_quotas q WHERE q.tenant_id = tenant;
    DELETE FROM tenancy.budgets b WHERE b.tenant_id = tenant;
    LOCK TABLE tenancy.erasures IN SHARE ROW EXCLUSIVE MODE; -- one receipt after the other
    SELECT * INTO done FROM tenancy.erasures e WHERE e.tenant_id = tenant;
    done.finished_at := clock_timestamp();
    done.receipt := tenancy.receipt_of(done);
    UPDATE tenancy.erasures e SET finished_at = done.finished_at, receipt = done.receipt WHERE e.tenant_id = tenant;
    IF done.keep_audit THEN
        PERFORM agent.audit_operation(tenant, 'tenant.erase', 'tenant', tenant, done.receipt);
    ELSE
        DELETE FROM tenancy.retention r WHERE r.tenant_id = tenant;
        DELETE FROM tenancy.tenants x WHERE x.tenant_id = tenant;
    END IF;
    PERFORM tenancy.slots_drop(), tenancy.forget_rates(tenant);
    RETURN done.receipt;
END
$$;
COMMENT ON FUNCTION tenancy.finish_erasure(text) IS 'Internal: checks that nothing is left, and writes the receipt';
REVOKE ALL ON FUNCTION tenancy.finish_erasure(text) FROM PUBLIC;

-- A procedure that commits may have no SET clause; its own expressions name every function, type and operator.
CREATE PROCEDURE tenancy.erase_tenant(tenant_id text, batch_rows int DEFAULT 10000, keep_audit boolean DEFAULT false)
    LANGUAGE plpgsql
AS $$
DECLARE
    receipt pg_catalog.text;
BEGIN
    PERFORM tenancy.require(batch_rows OPERATOR(pg_catalog.>) 0, 'batch_rows must be positive', 'Give the rows of a batch.');
    PERFORM tenancy.begin_erasure(tenant_id, keep_audit);
    COMMIT;
    WHILE tenancy.erase_batch(tenant_id, batch_rows) OPERATOR(pg_catalog.>) 0 LOOP
        COMMIT;
    END LOOP;
    receipt := tenancy.finish_erasure(tenant_id);
    COMMIT;
    RAISE NOTICE 'tenant % is erased, receipt %', tenant_id, receipt;
END
$$;
COMMENT ON PROCEDURE tenancy.erase_tenant(text, int, boolean) IS
    'Removes all rows, settings and claims of a suspended tenant in batches that commit, and leaves a receipt in tenancy.erasures. '
    'An erasure that was interrupted goes on when it is called again. keep_audit: the audit log and its seals stay';
REVOKE ALL ON PROCEDURE tenancy.erase_tenant(text, int, boolean) FROM PUBLIC;
