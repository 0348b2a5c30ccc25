-- The audit log and its seals refuse to be changed, also for their owner and for superusers who slip. Who
-- switches triggers off gets through: that is what the seals are for.

CREATE FUNCTION agent.refuse_audit_change(what text, advice text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', what USING ERRCODE = 'object_not_in_prerequisite_state',
        DETAIL = 'Rows leave it only by retention, which goes on record in it, and with their tenant.',
        HINT = advice;
END
$$;
COMMENT ON FUNCTION agent.refuse_audit_change(text, text) IS 'Internal: raises 55000';
REVOKE ALL ON FUNCTION agent.refuse_audit_change(text, text) FROM PUBLIC;

-- A row may go when its seal was marked as purged by this very transaction, or its tenant is being erased.
CREATE FUNCTION agent.audit_is_kept() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'DELETE' AND ((SELECT s.purged_at IS NOT NULL AND s.xmin = pg_current_xact_id_if_assigned()::xid
            FROM agent.audit_seals AS s WHERE s.tenant_id = OLD.tenant_id AND s.last_audit_id >= OLD.audit_id
            ORDER BY s.last_audit_id LIMIT 1) OR tenancy.is_being_erased(OLD.tenant_id)) THEN
        RETURN OLD;
    END IF;
    PERFORM agent.refuse_audit_change('the audit log',
        'Use tenancy.set_retention(..., audit => ...), or tenancy.erase_tenant().');
END
$$;
COMMENT ON FUNCTION agent.audit_is_kept() IS 'Refuses to change or remove audit rows, but for retention and erasure';
REVOKE ALL ON FUNCTION agent.audit_is_kept() FROM PUBLIC;

-- The one change of a seal is that its rows are purged.
CREATE FUNCTION agent.seal_is_kept() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    purged agent.audit_seals := OLD;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        purged.row_ids := NULL;
        purged.row_marks := NULL;
        purged.purged_at := NEW.purged_at;
        purged.purge_reason := NEW.purge_reason;
        IF OLD.purged_at IS NULL AND NEW IS NOT DISTINCT FROM purged THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'DELETE' AND tenancy.is_being_erased(OLD.tenant_id) THEN
        RETURN OLD;
    END IF;
    PERFORM agent.refuse_audit_change('the chain of seals', 'Use tenancy.apply_retention() or tenancy.erase_tenant().');
END
$$;
COMMENT ON FUNCTION agent.seal_is_kept() IS 'Refuses to change or remove seals, but for retention and erasure';
REVOKE ALL ON FUNCTION agent.seal_is_kept() FROM PUBLIC;

CREATE TRIGGER audit_is_kept BEFORE UPDATE OR DELETE ON agent.audit_log
    FOR EACH ROW EXECUTE FUNCTION agent.audit_is_kept();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON agent.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION agent.audit_is_kept();
CREATE TRIGGER seal_is_kept BEFORE UPDATE OR DELETE ON agent.audit_seals
    FOR EACH ROW EXECUTE FUNCTION agent.seal_is_kept();
CREATE TRIGGER seals_are_not_emptied BEFORE TRUNCATE ON agent.audit_seals
    FOR EACH STATEMENT EXECUTE FUNCTION agent.seal_is_kept();
COMMENT ON TRIGGER audit_is_kept ON agent.audit_log IS 'Append-only';
COMMENT ON TRIGGER audit_is_not_emptied ON agent.audit_log IS 'Append-only';
COMMENT ON TRIGGER seal_is_kept ON agent.audit_seals IS 'Append-only';
COMMENT ON TRIGGER seals_are_not_emptied ON agent.audit_seals IS 'Append-only';
