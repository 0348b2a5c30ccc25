-- What happens with a write, however it came (route or plain SQL): fork, revert, and the audit row.
-- The definer triggers take tenant and ids from rows that row security has already let through.
-- Without a tenant context (restore, administrators) rows are taken as they are.

-- True for restore and administrators. A tenant's own statement cannot get there by clearing its context
-- on the way, in RETURNING for instance: its write would not be on record.
CREATE FUNCTION agent.is_outside_tenancy() RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tenancy.current_tenant_or_null() IS NOT NULL THEN
        RETURN false;
    ELSIF tenancy.transaction_had_tenant() THEN
        RAISE EXCEPTION 'the tenant context was cleared while a statement was writing'
            USING ERRCODE = 'insufficient_privilege', HINT = 'Call tenancy.clear_tenant() after the statement.';
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION agent.is_outside_tenancy() IS 'Internal: whether a write belongs to no tenant''s transaction';
REVOKE ALL ON FUNCTION agent.is_outside_tenancy() FROM PUBLIC;

CREATE FUNCTION agent.prepare_fork() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    parent_length bigint;
BEGIN
    IF tenancy.current_tenant_or_null() IS NULL THEN
        RETURN NEW;
    END IF;
    -- The share lock keeps a revert or a turn of the parent out until the prefix is copied.
    SELECT s.next_seq INTO parent_length
    FROM agent.sessions AS s
    WHERE s.tenant_id = NEW.tenant_id AND s.session_id = NEW.parent_session_id
    FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'parent session does not exist' USING ERRCODE = '23503';
    ELSIF NEW.forked_at_index > parent_length THEN
        RAISE EXCEPTION 'parent session has only % messages', parent_length USING ERRCODE = '22003';
    END IF;
    NEW.forked_at_index := coalesce(NEW.forked_at_index, parent_length);
    NEW.next_seq := NEW.forked_at_index;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION agent.prepare_fork() IS 'Lock the parent of a new fork and fix how many messages it copies';
REVOKE ALL ON FUNCTION agent.prepare_fork() FROM PUBLIC;

CREATE FUNCTION agent.prepare_revert() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.reverted_to IS NULL OR NEW.reverted_to > OLD.next_seq THEN
        RAISE EXCEPTION 'session has only % messages', OLD.next_seq USING ERRCODE = '22003';
    END IF;
    NEW.next_seq := NEW.reverted_to;
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION agent.prepare_revert() IS 'A session can be reverted to a length it has reached';
REVOKE ALL ON FUNCTION agent.prepare_revert() FROM PUBLIC;

CREATE FUNCTION agent.session_effect() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entry agent.audit_log;
    touched agent.sessions := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    IF agent.is_outside_tenancy() THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'INSERT' AND NEW.parent_session_id IS NOT NULL THEN
        INSERT INTO agent.messages (tenant_id, session_id, seq, turn_id, created_at, message)
        SELECT NEW.tenant_id, NEW.session_id, m.seq, m.turn_id, m.created_at, m.message
        FROM agent.messages AS m
        WHERE m.tenant_id = NEW.tenant_id AND m.session_id = NEW.parent_session_id
            AND m.seq < NEW.next_seq;
    ELSIF TG_OP = 'UPDATE' THEN
        DELETE FROM agent.messages AS m
        WHERE m.tenant_id = NEW.tenant_id AND m.session_id = NEW.session_id
            AND m.seq >= NEW.reverted_to;
    END IF;
    entry := agent.audit_entry(touched.tenant_id, CASE
        WHEN TG_OP = 'DELETE' THEN 'session.delete'
        WHEN TG_OP = 'UPDATE' THEN 'session.revert'
        WHEN touched.parent_session_id IS NOT NULL THEN 'session.fork'
        ELSE 'session.create' END, 'session', touched.session_id);
    entry.session_id := touched.session_id;
    PERFORM agent.append_audit(entry);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION agent.session_effect() IS
    'Copy the prefix of a fork, cut the tail of a revert, and audit every write to a session';
REVOKE ALL ON FUNCTION agent.session_effect() FROM PUBLIC;

CREATE FUNCTION agent.feedback_effect() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entry agent.audit_log;
    touched agent.feedback := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    IF agent.is_outside_tenancy() THEN
        RETURN NULL;
    END IF;
    entry := agent.audit_entry(touched.tenant_id, CASE TG_OP
        WHEN 'INSERT' THEN 'feedback.create'
        WHEN 'UPDATE' THEN 'feedback.update'
        ELSE 'feedback.delete' END, 'feedback', touched.feedback_id);
    entry.session_id := touched.session_id;
    entry.trace_id := touched.trace_id;
    PERFORM agent.append_audit(entry);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION agent.feedback_effect() IS 'Audit every write to feedback';
REVOKE ALL ON FUNCTION agent.feedback_effect() FROM PUBLIC;

CREATE FUNCTION agent.touch_session() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION agent.touch_session() IS 'Note when a session was changed';
REVOKE ALL ON FUNCTION agent.touch_session() FROM PUBLIC;

CREATE FUNCTION agent.label_effect() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entry agent.audit_log;
BEGIN
    IF agent.is_outside_tenancy() THEN
        RETURN NULL;
    END IF;
    entry := agent.audit_entry(NEW.tenant_id, 'session.update', 'session', NEW.session_id);
    entry.session_id := NEW.session_id;
    PERFORM agent.append_audit(entry);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION agent.label_effect() IS 'Audit every change of a session''s labels';
REVOKE ALL ON FUNCTION agent.label_effect() FROM PUBLIC;

CREATE TRIGGER touch_session BEFORE UPDATE OF cost_data ON agent.sessions
    FOR EACH ROW EXECUTE FUNCTION agent.touch_session();
CREATE TRIGGER label_effect AFTER UPDATE OF cost_data ON agent.sessions
    FOR EACH ROW EXECUTE FUNCTION agent.label_effect();
COMMENT ON TRIGGER touch_session ON agent.sessions IS 'Labels count as a change';
COMMENT ON TRIGGER label_effect ON agent.sessions IS 'Audit';
CREATE TRIGGER prepare_fork BEFORE INSERT ON agent.sessions
    FOR EACH ROW WHEN (NEW.parent_session_id IS NOT NULL) EXECUTE FUNCTION agent.prepare_fork();
CREATE TRIGGER prepare_revert BEFORE UPDATE OF reverted_to ON agent.sessions
    FOR EACH ROW EXECUTE FUNCTION agent.prepare_revert();
CREATE TRIGGER session_effect AFTER INSERT OR DELETE OR UPDATE OF reverted_to ON agent.sessions
    FOR EACH ROW EXECUTE FUNCTION agent.session_effect();
CREATE TRIGGER feedback_effect AFTER INSERT OR DELETE OR UPDATE ON agent.feedback
    FOR EACH ROW EXECUTE FUNCTION agent.feedback_effect();
COMMENT ON TRIGGER prepare_fork ON agent.sessions IS 'A fork knows its length before it is stored';
COMMENT ON TRIGGER prepare_revert ON agent.sessions IS 'A revert only shortens';
COMMENT ON TRIGGER session_effect ON agent.sessions IS 'Fork, revert and audit';
COMMENT ON TRIGGER feedback_effect ON agent.feedback IS 'Audit';
