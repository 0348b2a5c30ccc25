-- The counters follow the rows of the ledger, whoever writes them: end_turn, the sweeper, or a superuser
-- with plain SQL. A charge is never changed; what is removed is taken off the counters.

CREATE FUNCTION agent.charge_counts() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    line agent.usage := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    sign int := CASE WHEN TG_OP = 'DELETE' THEN -1 ELSE 1 END;
BEGIN
    PERFORM tenancy.settle(
        ROW(line.tenant_id, line.session_id, line.subject, line.admitted_model, line.admitted_at), 0, 0,
        sign * coalesce(line.cost_picodollars, 0), sign * (line.input_tokens + line.output_tokens), 0);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION agent.charge_counts() IS 'Counts a line of the ledger in its budgets, or takes it off';
REVOKE ALL ON FUNCTION agent.charge_counts() FROM PUBLIC;

CREATE FUNCTION agent.hold_ends() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.settle(
        ROW(OLD.tenant_id, OLD.session_id, OLD.subject, OLD.model, OLD.started_at),
        coalesce(OLD.hold_picodollars, 0), coalesce(OLD.hold_tokens, 0), 0, 0, 1);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION agent.hold_ends() IS 'Gives the hold of a turn back when it ends or is removed';
REVOKE ALL ON FUNCTION agent.hold_ends() FROM PUBLIC;

CREATE FUNCTION agent.ledger_is_kept() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'a line of the ledger cannot be changed' USING ERRCODE = 'object_not_in_prerequisite_state',
        DETAIL = format('Table %s.%s is append-only.', TG_TABLE_SCHEMA, TG_TABLE_NAME),
        HINT = 'Add a line that corrects it, marked late.';
END
$$;
COMMENT ON FUNCTION agent.ledger_is_kept() IS 'Refuses to change what was charged';
REVOKE ALL ON FUNCTION agent.ledger_is_kept() FROM PUBLIC;

CREATE FUNCTION agent.ledger_is_emptied() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.slots_drop();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION agent.ledger_is_emptied() IS 'After TRUNCATE every counter is rebuilt from the rows';
REVOKE ALL ON FUNCTION agent.ledger_is_emptied() FROM PUBLIC;

CREATE TRIGGER charge_counts AFTER INSERT OR DELETE ON agent.usage
    FOR EACH ROW EXECUTE FUNCTION agent.charge_counts();
CREATE TRIGGER ledger_is_kept BEFORE UPDATE ON agent.usage
    FOR EACH ROW EXECUTE FUNCTION agent.ledger_is_kept();
CREATE TRIGGER ledger_is_emptied AFTER TRUNCATE ON agent.usage
    FOR EACH STATEMENT EXECUTE FUNCTION agent.ledger_is_emptied();
CREATE TRIGGER hold_ends AFTER UPDATE OF status ON agent.turns
    FOR EACH ROW WHEN (OLD.status = 'open' AND NEW.status <> 'open') EXECUTE FUNCTION agent.hold_ends();
CREATE TRIGGER hold_is_removed AFTER DELETE ON agent.turns
    FOR EACH ROW WHEN (OLD.status = 'open') EXECUTE FUNCTION agent.hold_ends();
CREATE TRIGGER ledger_is_emptied AFTER TRUNCATE ON agent.turns
    FOR EACH STATEMENT EXECUTE FUNCTION agent.ledger_is_emptied();
COMMENT ON TRIGGER charge_counts ON agent.usage IS 'Budgets count every charge';
COMMENT ON TRIGGER ledger_is_kept ON agent.usage IS 'Append-only';
COMMENT ON TRIGGER ledger_is_emptied ON agent.usage IS 'Counters follow';
COMMENT ON TRIGGER hold_ends ON agent.turns IS 'Budgets get the hold back';
COMMENT ON TRIGGER hold_is_removed ON agent.turns IS 'Budgets get the hold back';
COMMENT ON TRIGGER ledger_is_emptied ON agent.turns IS 'Counters follow';
