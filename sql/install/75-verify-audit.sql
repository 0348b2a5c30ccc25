-- Verifies the seals of a tenant's audit log, from the rows and from the hashes.

-- Compares row by row, and with the hash of all: a mark has 8 bytes only.
CREATE FUNCTION agent.verify_sealed_rows(seal agent.audit_seals, after bigint)
RETURNS TABLE (problem text, audit_id bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH found AS MATERIALIZED (
        SELECT l.audit_id, l.leaf FROM agent.audit_leaves(seal.tenant_id, after, seal.last_audit_id, NULL) AS l
    ), sealed AS (
        SELECT i.audit_id, substr(seal.row_marks, (8 * i.n - 7)::integer, 8) AS mark
        FROM unnest(seal.row_ids) WITH ORDINALITY AS i(audit_id, n)
    ), named AS MATERIALIZED (
        SELECT CASE WHEN s.audit_id IS NULL THEN CASE WHEN seal.purged_at IS NULL THEN 'row was inserted'
                    ELSE 'row was inserted where all were purged' END
                WHEN f.audit_id IS NULL THEN 'row was removed' ELSE 'row was changed' END AS problem,
            coalesce(s.audit_id, f.audit_id) AS audit_id
        FROM found AS f FULL JOIN sealed AS s ON s.audit_id = f.audit_id
        WHERE s.audit_id IS NULL OR f.audit_id IS NULL OR s.mark <> substr(f.leaf, 1, 8)
    )
    SELECT n.problem, n.audit_id FROM named AS n
    UNION ALL
    SELECT 'rows were changed', NULL
    WHERE seal.purged_at IS NULL AND NOT EXISTS (SELECT FROM named)
        AND seal.rows_sha256 <> (SELECT sha256(coalesce(string_agg(f.leaf, '' ORDER BY f.audit_id), '')) FROM found AS f);
END;
COMMENT ON FUNCTION agent.verify_sealed_rows(agent.audit_seals, bigint) IS
    'Internal: what differs between a seal and the rows that it covers, which have ids above the given one';
REVOKE ALL ON FUNCTION agent.verify_sealed_rows(agent.audit_seals, bigint) FROM PUBLIC;

-- Retention removes the oldest rows first and puts it on record as it does so: a purge row is newer than what
-- it removed, so the last one is always there.
CREATE FUNCTION agent.recorded_purge(tenant text) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT coalesce(max(substring(a.resource_id FROM '^seal ([0-9]{1,18})$')::bigint), 0)
    FROM agent.audit_log AS a
    WHERE a.tenant_id = tenant AND a.action = 'retention.purge' AND a.resource_type = 'audit' AND a.outcome = 'allow';
END;
COMMENT ON FUNCTION agent.recorded_purge(text) IS
    'Internal: up to which seal a tenant''s audit log says that the rows were purged; 0: none';
REVOKE ALL ON FUNCTION agent.recorded_purge(text) FROM PUBLIC;

CREATE FUNCTION tenancy.verify_audit(tenant_id text)
RETURNS TABLE (seal_no bigint, ok boolean, problem text, audit_id bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    previous agent.audit_seals;
    seal agent.audit_seals;
    problems text[];
    recorded CONSTANT bigint := agent.recorded_purge(tenant_id);
BEGIN
    FOR seal IN SELECT * FROM agent.audit_seals AS s WHERE s.tenant_id = verify_audit.tenant_id ORDER BY s.seal_no LOOP
        problems := array_remove(ARRAY[
            CASE WHEN seal.seal_no <> coalesce(previous.seal_no, 0) + 1 THEN 'the seal before it was removed' END,
            CASE WHEN seal.sha256 <> agent.seal_sha256(seal, previous.sha256) THEN 'seal was changed' END,
            CASE WHEN seal.purged_at IS NOT NULL AND previous.seal_no IS NOT NULL AND previous.purged_at IS NULL
                THEN 'seal was purged out of order' END,
            CASE WHEN seal.purged_at IS NOT NULL AND seal.seal_no > recorded
                THEN 'no audit row says that its rows were purged' END], NULL);
        RETURN QUERY
            SELECT seal.seal_no, false, f.problem, NULL::bigint FROM unnest(problems) AS f(problem)
            UNION ALL
            SELECT seal.seal_no, false, r.problem, r.audit_id
            FROM agent.verify_sealed_rows(seal, coalesce(previous.last_audit_id, 0)) AS r;
        IF NOT FOUND THEN
            RETURN QUERY SELECT seal.seal_no, true, NULL::text, NULL::bigint;
        END IF;
        previous := seal;
    END LOOP;
END
$$;
COMMENT ON FUNCTION tenancy.verify_audit(text) IS
    'Checks a tenant''s audit log against its seals: one row with ok = true for a seal that holds, else one per problem, with '
    'the row that it is about. That the newest seals were removed shows only against a tenancy.audit_head() kept elsewhere';
REVOKE ALL ON FUNCTION tenancy.verify_audit(text) FROM PUBLIC;
