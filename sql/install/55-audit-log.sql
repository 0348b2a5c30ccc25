-- The audit log: one append-only row per effect or refusal, in the same transaction as the effect.
-- No message content, no token byte.

CREATE TABLE agent.audit_log (
    tenant_id text COLLATE "C" NOT NULL DEFAULT tenancy.current_tenant(),
    audit_id bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    actor text,
    issuer text,
    token_id_hash bytea,
    action text COLLATE "C" NOT NULL CHECK (action ~ '^[a-z_]{1,32}(\.[a-z_]{1,32})?$'),
    resource_type text,
    resource_id text,
    outcome text NOT NULL,
    status integer,
    reason text,
    trace_id text COLLATE "C",
    session_id text COLLATE "C",
    request_id text,
    prompt_tokens bigint,
    completion_tokens bigint,
    cost_picodollars bigint,
    limit_picodollars bigint,
    PRIMARY KEY (tenant_id, audit_id)
);
REVOKE ALL ON TABLE agent.audit_log FROM PUBLIC;
CREATE INDEX audit_log_action ON agent.audit_log (tenant_id, action, audit_id);
COMMENT ON TABLE agent.audit_log IS 'Who did what and who was refused, per tenant; append-only';
COMMENT ON INDEX agent.audit_log_action IS 'Rows of one action, newest first';
COMMENT ON COLUMN agent.audit_log.audit_id IS
    'Microseconds since 1970 at the time of writing, moved up where needed so that the ids of a tenant only grow. '
    'Not consecutive: a gap says nothing, and nothing about other tenants';
COMMENT ON COLUMN agent.audit_log.actor IS 'Subject of the token that acted';
COMMENT ON COLUMN agent.audit_log.token_id_hash IS 'SHA-256 of the token''s jti';

-- A counter row per tenant would hold its lock until commit and so serialise all of a tenant's writers on
-- the disk's flush; a common sequence would tell each tenant how busy the others are. The clock does neither.
-- The transaction's id is drawn before the clock is read: agent.final_audit_id() counts on it.
CREATE FUNCTION agent.append_audit(entry agent.audit_log) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_current_xact_id();
    LOOP
        entry.occurred_at := clock_timestamp();
        entry.audit_id := extract(epoch FROM entry.occurred_at) * 1000000;
        -- From this id on, where there is nothing but after a step of the clock: without statistics the planner
        -- may take the last id of the tenant from any index that begins with the tenant, and read all of it.
        entry.audit_id := coalesce((SELECT max(a.audit_id) + 1 FROM agent.audit_log AS a
            WHERE a.tenant_id = entry.tenant_id AND a.audit_id >= entry.audit_id), entry.audit_id);
        INSERT INTO agent.audit_log SELECT entry.* ON CONFLICT (tenant_id, audit_id) DO NOTHING;
        EXIT WHEN FOUND;
    END LOOP;
END
$$;
COMMENT ON FUNCTION agent.append_audit(agent.audit_log) IS
    'Write one audit row under the tenant''s next id. For definer functions of this schema only';
REVOKE ALL ON FUNCTION agent.append_audit(agent.audit_log) FROM PUBLIC;

CREATE FUNCTION agent.audit_entry(tenant text, action text, resource_type text, resource_id text)
RETURNS agent.audit_log
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entry agent.audit_log;
BEGIN
    entry.tenant_id := tenant;
    entry.actor := tenancy.current_subject();
    entry.issuer := tenancy.current_issuer();
    entry.token_id_hash := sha256(convert_to(tenancy.current_claims() ->> 'jti', 'UTF8'));
    entry.action := action;
    entry.resource_type := left(resource_type, 64);
    entry.resource_id := left(resource_id, 128);
    entry.outcome := 'allow';
    entry.request_id := left(nullif(current_setting('tenancy.request_id', true), ''), 128);
    RETURN entry;
END
$$;
COMMENT ON FUNCTION agent.audit_entry(text, text, text, text) IS
    'An audit row filled from the verified context and the request id. For definer functions of this schema only';
REVOKE ALL ON FUNCTION agent.audit_entry(text, text, text, text) FROM PUBLIC;

-- Without an actor, who is a subject: the operators' names are not the tenant's to read.
CREATE FUNCTION agent.audit_operation(tenant text, action text, resource_type text, resource_id text, reason text)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entry agent.audit_log;
BEGIN
    entry.tenant_id := tenant;
    entry.action := action;
    entry.resource_type := resource_type;
    entry.resource_id := left(resource_id, 128);
    entry.outcome := 'allow';
    entry.reason := left(reason, 256);
    PERFORM agent.append_audit(entry);
END
$$;
COMMENT ON FUNCTION agent.audit_operation(text, text, text, text, text) IS
    'Internal: puts what an administrator or a worker does to a tenant in its audit log';
REVOKE ALL ON FUNCTION agent.audit_operation(text, text, text, text, text) FROM PUBLIC;

CREATE FUNCTION agent.record_refusal(
    action text, resource_type text, resource_id text, status integer, reason text)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entry agent.audit_log;
BEGIN
    IF status IS NULL OR status NOT BETWEEN 400 AND 599 THEN
        RAISE EXCEPTION 'a refusal has a status between 400 and 599' USING ERRCODE = '22023';
    END IF;
    entry := agent.audit_entry(tenancy.current_tenant(), action, resource_type, resource_id);
    entry.outcome := 'deny';
    entry.status := status;
    entry.reason := left(reason, 256);
    IF resource_type = 'session' THEN
        entry.session_id := entry.resource_id;
    END IF;
    PERFORM agent.append_audit(entry);
END
$$;
COMMENT ON FUNCTION agent.record_refusal(text, text, text, integer, text) IS
    'Put a refusal on record for the verified tenant. '
    'The caller chooses the words, never the tenant, the actor or the outcome';
REVOKE ALL ON FUNCTION agent.record_refusal(text, text, text, integer, text) FROM PUBLIC;
