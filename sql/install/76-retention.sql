-- How long records are kept, per tenant, and the worker that removes what is older. The ledger (agent.usage)
-- has no such age: budgets count it. It goes with its tenant. docs/lifecycle.md says what else grows.

CREATE TABLE tenancy.retention (
    tenant_id text COLLATE "C" PRIMARY KEY
        CHECK (tenant_id = '*' OR tenant_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$'),
    sessions interval CHECK (sessions >= '0'),
    traces interval CHECK (traces >= '0'),
    feedback interval CHECK (feedback >= '0'),
    audit interval CHECK (audit >= '0'),
    files interval CHECK (files >= '0'),
    work_items interval CHECK (work_items >= '0'),
    changed_at timestamptz NOT NULL DEFAULT now()
);
REVOKE ALL ON TABLE tenancy.retention FROM PUBLIC;
COMMENT ON TABLE tenancy.retention IS
    'How long the records of a tenant are kept; * is the default of all. NULL: as the default says, 0: for ever';

CREATE FUNCTION tenancy.set_retention(tenant_id text DEFAULT NULL, sessions interval DEFAULT NULL,
        traces interval DEFAULT NULL, feedback interval DEFAULT NULL, audit interval DEFAULT NULL,
        files interval DEFAULT NULL, work_items interval DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    who CONSTANT text := coalesce(tenant_id, '*');
BEGIN
    PERFORM tenancy.require(who = '*' OR EXISTS (SELECT FROM tenancy.tenants t WHERE t.tenant_id = who),
        format('tenant "%s" is not registered', left(who, 100)),
        'See tenancy.tenants, or give NULL for the default of all tenants.');
    PERFORM tenancy.require(least(sessions, traces, feedback, audit, files, work_items, '0') >= '0',
        'an age is negative', 'Give how long to keep, 0 for ever, or NULL for the default of all tenants.');
    INSERT INTO tenancy.retention VALUES (who, sessions, traces, feedback, audit, files, work_items, clock_timestamp())
    ON CONFLICT ON CONSTRAINT retention_pkey DO UPDATE SET sessions = excluded.sessions, traces = excluded.traces,
        feedback = excluded.feedback, audit = excluded.audit, files = excluded.files, work_items = excluded.work_items,
        changed_at = excluded.changed_at;
END
$$;
COMMENT ON FUNCTION tenancy.set_retention(text, interval, interval, interval, interval, interval, interval) IS
    'Sets how long records of a tenant are kept (tenant NULL: the default of all): sessions since their last change, traces '
    'with their turns since they began, feedback, sealed audit rows, files since their upload, and work items since they were '
    'completed or failed. NULL = as the default says, 0 = for ever';
REVOKE ALL ON FUNCTION tenancy.set_retention(text, interval, interval, interval, interval, interval, interval) FROM PUBLIC;

CREATE FUNCTION tenancy.retention_rules() RETURNS TABLE (tenant_id text, kind text, keep interval)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT t.tenant_id, k.kind, k.keep
    FROM tenancy.tenants t
    LEFT JOIN tenancy.retention o ON o.tenant_id = t.tenant_id
    LEFT JOIN tenancy.retention d ON d.tenant_id = '*'
    CROSS JOIN LATERAL (VALUES ('sessions', coalesce(o.sessions, d.sessions)), ('traces', coalesce(o.traces, d.traces)),
        ('turns', coalesce(o.traces, d.traces)), ('feedback', coalesce(o.feedback, d.feedback)),
        ('audit', coalesce(o.audit, d.audit)), ('files', coalesce(o.files, d.files)),
        ('work_items', coalesce(o.work_items, d.work_items))) k(kind, keep)
    WHERE k.keep > '0';
END;
COMMENT ON FUNCTION tenancy.retention_rules() IS 'What apply_retention() keeps how long, for each tenant; what is not listed is kept';
REVOKE ALL ON FUNCTION tenancy.retention_rules() FROM PUBLIC;

-- Whole seals only, the oldest first, so at least one. A row is as old as its id says.
CREATE FUNCTION agent.purge_audit(tenant text, before timestamptz, most bigint, OUT removed bigint, OUT last_seal bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    seal agent.audit_seals;
BEGIN
    removed := 0;
    PERFORM tenancy.lock_task('seal audit', true);
    FOR seal IN
        SELECT * FROM agent.audit_seals AS s
        WHERE s.tenant_id = tenant AND s.purged_at IS NULL AND s.last_audit_id < extract(epoch FROM before) * 1000000
        ORDER BY s.seal_no
    LOOP
        UPDATE agent.audit_seals AS s SET purged_at = clock_timestamp(), purge_reason = 'retention', row_ids = NULL, row_marks = NULL
        WHERE s.tenant_id = tenant AND s.seal_no = seal.seal_no;
        DELETE FROM agent.audit_log AS a
        WHERE a.tenant_id = tenant AND a.audit_id BETWEEN seal.first_audit_id AND seal.last_audit_id;
        removed := removed + seal.row_count;
        last_seal := seal.seal_no;
        EXIT WHEN removed >= most;
    END LOOP;
END
$$;
COMMENT ON FUNCTION agent.purge_audit(text, timestamptz, bigint) IS
    'Internal: removes audit rows under seals whose rows are all older; the seals stay, marked. Says how many, and the last such seal';
REVOKE ALL ON FUNCTION agent.purge_audit(text, timestamptz, bigint) FROM PUBLIC;

-- What is open stays, and the session of an open turn with it.
CREATE FUNCTION agent.purge_records(tenant text, kind text, before timestamptz, most bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    removed bigint;
BEGIN
    IF kind = 'sessions' THEN
        DELETE FROM agent.sessions AS s WHERE s.tenant_id = tenant AND s.session_id IN (
            SELECT o.session_id FROM agent.sessions AS o
            WHERE o.tenant_id = tenant AND o.updated_at < before AND NOT EXISTS (SELECT FROM agent.turns AS t
                WHERE t.tenant_id = tenant AND t.session_id = o.session_id AND t.status = 'open')
            LIMIT most FOR UPDATE OF o SKIP LOCKED);
    ELSIF kind = 'traces' THEN
        DELETE FROM agent.traces AS t WHERE t.tenant_id = tenant AND t.trace_id IN (
            SELECT o.trace_id FROM agent.traces AS o
            WHERE o.tenant_id = tenant AND o.started_at < before AND o.status <> 'open' LIMIT most);
    ELSIF kind = 'turns' THEN
        DELETE FROM agent.turns AS t WHERE t.tenant_id = tenant AND t.turn_id IN (
            SELECT o.turn_id FROM agent.turns AS o
            WHERE o.tenant_id = tenant AND o.ended_at < before LIMIT most);
    ELSIF kind = 'files' THEN
        DELETE FROM agent.files AS f WHERE f.tenant_id = tenant AND f.file_id IN (
            SELECT o.file_id FROM agent.files AS o WHERE o.tenant_id = tenant AND o.created_at < before LIMIT most);
    ELSIF kind = 'work_items' THEN
        DELETE FROM agent.work_items AS w WHERE w.tenant_id = tenant AND w.id IN (
            SELECT o.id FROM agent.work_items AS o
            WHERE o.tenant_id = tenant AND o.updated_at < before AND o.status IN ('completed', 'failed') LIMIT most);
    ELSE
        DELETE FROM agent.feedback AS f WHERE f.tenant_id = tenant AND f.feedback_id IN (
            SELECT o.feedback_id FROM agent.feedback AS o WHERE o.tenant_id = tenant AND o.created_at < before LIMIT most);
    END IF;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;
COMMENT ON FUNCTION agent.purge_records(text, text, timestamptz, bigint) IS
    'Internal: removes up to so many records of a kind that are older; returns how many';
REVOKE ALL ON FUNCTION agent.purge_records(text, text, timestamptz, bigint) FROM PUBLIC;

CREATE FUNCTION agent.purge(rule record, most bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET IntervalStyle = 'postgres'
AS $$
DECLARE
    before CONSTANT timestamptz := clock_timestamp() - rule.keep;
    removed bigint;
    last_seal bigint;
BEGIN
    IF rule.kind = 'audit' THEN
        SELECT p.removed, p.last_seal INTO removed, last_seal FROM agent.purge_audit(rule.tenant_id, before, most) AS p;
    ELSE
        removed := agent.purge_records(rule.tenant_id, rule.kind, before, most);
    END IF;
    IF removed > 0 THEN
        PERFORM agent.audit_operation(rule.tenant_id, 'retention.purge', rule.kind, 'seal ' || last_seal,
            format('%s older than %s', removed, rule.keep));
    END IF;
    RETURN removed;
END
$$;
COMMENT ON FUNCTION agent.purge(record, bigint) IS
    'Internal: one batch of a row of tenancy.retention_rules(), with its audit row; returns how many records went';
REVOKE ALL ON FUNCTION agent.purge(record, bigint) FROM PUBLIC;

CREATE FUNCTION tenancy.apply_retention(max_rows integer DEFAULT 1000)
RETURNS TABLE (tenant_id text, kind text, removed bigint)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rule record;
    rest bigint := max_rows;
BEGIN
    PERFORM tenancy.require(max_rows > 0, 'max_rows must be positive', 'Give the records of one call.');
    IF NOT tenancy.lock_task('retention', false) THEN
        RETURN;
    END IF;
    removed := tenancy.purge_revocations(10 * max_rows); -- small rows, as many as there are requests
    IF removed > 0 THEN
        kind := 'expired_tokens';
        RETURN NEXT;
    END IF;
    FOR rule IN SELECT r.* FROM tenancy.retention_rules() AS r ORDER BY random() LOOP
        EXIT WHEN rest <= 0;
        removed := agent.purge(rule, rest);
        CONTINUE WHEN removed = 0;
        rest := rest - removed;
        tenant_id := rule.tenant_id;
        kind := rule.kind;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION tenancy.apply_retention(integer) IS
    'Removes up to max_rows records that are older than tenancy.set_retention() allows, each tenant''s with a row in its audit log, '
    'and what tenancy.purge_revocations() removes, ten times as many of each, under no tenant; returns what went. No row: nothing is left, or another session is at it. Audit rows go by whole seals';
REVOKE ALL ON FUNCTION tenancy.apply_retention(integer) FROM PUBLIC;
