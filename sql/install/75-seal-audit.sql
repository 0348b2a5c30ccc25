-- Seals the audit log. Writers are never waited for and wait for nothing: rows are sealed later, by a worker.

-- Empty after a crash, a promotion or a restore, which only costs one round.
CREATE UNLOGGED TABLE tenancy.audit_horizon (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    audit_id bigint NOT NULL,
    xid xid8 NOT NULL,
    final_audit_id bigint NOT NULL DEFAULT 0
);
REVOKE ALL ON TABLE tenancy.audit_horizon FROM PUBLIC;
COMMENT ON TABLE tenancy.audit_horizon IS
    'A moment in time as an audit id, the next transaction id at that moment, and the newest such moment whose transactions have all ended';

CREATE FUNCTION tenancy.lock_task(task text, wait boolean) RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgt_lock_task';
COMMENT ON FUNCTION tenancy.lock_task(text, boolean) IS
    'Internal: makes this transaction the only one at a task; false, and only without wait: another one is';
REVOKE ALL ON FUNCTION tenancy.lock_task(text, boolean) FROM PUBLIC;

-- A row's id is a time read after its transaction drew its id. So once every transaction has ended whose id
-- was drawn before some moment, no row can appear any more whose id is earlier than that moment. A moment
-- that cannot be used yet is kept and waited for: with a new one each time, transactions that overlap
-- without end would never let one pass.
CREATE FUNCTION agent.final_audit_id() RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    moment CONSTANT bigint := extract(epoch FROM CASE WHEN pg_current_xact_id_if_assigned() IS NULL
        THEN clock_timestamp() ELSE transaction_timestamp() END) * 1000000;
    mine CONSTANT xid8 := pg_current_xact_id();
    oldest CONSTANT xid8 := pg_snapshot_xmin(pg_current_snapshot());
    kept tenancy.audit_horizon;
BEGIN
    SELECT * INTO kept FROM tenancy.audit_horizon;
    IF oldest >= mine THEN
        kept.final_audit_id := moment;
    ELSIF oldest >= kept.xid THEN
        kept.final_audit_id := kept.audit_id;
    ELSIF kept.xid IS NOT NULL THEN
        RETURN kept.final_audit_id;
    END IF;
    INSERT INTO tenancy.audit_horizon AS h (audit_id, xid, final_audit_id)
    VALUES (moment, mine, coalesce(kept.final_audit_id, 0))
    ON CONFLICT (is_only) DO UPDATE SET audit_id = excluded.audit_id, xid = excluded.xid,
        final_audit_id = excluded.final_audit_id;
    RETURN coalesce(kept.final_audit_id, 0);
END
$$;
COMMENT ON FUNCTION agent.final_audit_id() IS
    'Up to this audit id no transaction can add a row any more: what is there may be sealed';
REVOKE ALL ON FUNCTION agent.final_audit_id() FROM PUBLIC;

CREATE FUNCTION agent.seal_rows(tenant text, until bigint, most bigint) RETURNS agent.audit_seals
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    previous agent.audit_seals;
    seal agent.audit_seals;
BEGIN
    SELECT * INTO previous FROM agent.audit_seals AS s WHERE s.tenant_id = tenant ORDER BY s.seal_no DESC LIMIT 1;
    SELECT min(l.audit_id), max(l.audit_id), count(*), array_agg(l.audit_id ORDER BY l.audit_id),
        sha256(string_agg(l.leaf, '' ORDER BY l.audit_id)), string_agg(substr(l.leaf, 1, 8), '' ORDER BY l.audit_id)
    INTO seal.first_audit_id, seal.last_audit_id, seal.row_count, seal.row_ids, seal.rows_sha256, seal.row_marks
    FROM agent.audit_leaves(tenant, coalesce(previous.last_audit_id, 0), until, most) AS l;
    IF seal.row_count = 0 THEN
        RETURN NULL;
    END IF;
    seal.tenant_id := tenant;
    seal.seal_no := coalesce(previous.seal_no, 0) + 1;
    seal.sealed_at := clock_timestamp();
    seal.sha256 := agent.seal_sha256(seal, previous.sha256);
    INSERT INTO agent.audit_seals SELECT seal.*;
    RETURN seal;
END
$$;
COMMENT ON FUNCTION agent.seal_rows(text, bigint, bigint) IS
    'Internal: the next seal of a tenant over its rows up to an id, at most so many; NULL: there are none';
REVOKE ALL ON FUNCTION agent.seal_rows(text, bigint, bigint) FROM PUBLIC;

CREATE TYPE tenancy.audit_seal AS (
    tenant_id text, seal_no bigint, row_count bigint, last_audit_id bigint, sealed_at timestamptz, sha256 text);
COMMENT ON TYPE tenancy.audit_seal IS 'A seal of the audit log as it is reported; sha256 in hexadecimal digits';

-- Tenants whose oldest unsealed row is the oldest come first, so that none waits for ever behind a busy one.
CREATE FUNCTION tenancy.seal_audit(tenant_id text DEFAULT NULL, max_rows integer DEFAULT 10000)
RETURNS SETOF tenancy.audit_seal
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    until bigint;
    rest bigint := max_rows;
    tenant text;
    seal agent.audit_seals;
BEGIN
    PERFORM tenancy.require(max_rows > 0, 'max_rows must be positive', 'Give the rows of one call.');
    PERFORM tenancy.lock_task('seal audit', true);
    until := agent.final_audit_id() - 1;
    FOR tenant IN
        SELECT t.tenant_id FROM tenancy.tenants AS t
        LEFT JOIN LATERAL (SELECT s.last_audit_id FROM agent.audit_seals AS s
            WHERE s.tenant_id = t.tenant_id ORDER BY s.seal_no DESC LIMIT 1) AS s ON true
        CROSS JOIN LATERAL (SELECT a.audit_id FROM agent.audit_log AS a
            WHERE a.tenant_id = t.tenant_id AND a.audit_id > coalesce(s.last_audit_id, 0) AND a.audit_id <= until
            ORDER BY a.audit_id LIMIT 1) AS a
        WHERE seal_audit.tenant_id IS NULL OR t.tenant_id = seal_audit.tenant_id
        ORDER BY a.audit_id
    LOOP
        EXIT WHEN rest <= 0;
        seal := agent.seal_rows(tenant, until, rest);
        rest := rest - seal.row_count;
        RETURN NEXT ROW(seal.tenant_id, seal.seal_no, seal.row_count, seal.last_audit_id, seal.sealed_at,
            encode(seal.sha256, 'hex'))::tenancy.audit_seal;
    END LOOP;
END
$$;
COMMENT ON FUNCTION tenancy.seal_audit(text, integer) IS
    'Seals up to max_rows rows of the audit log, of one tenant or of all (NULL); returns the new seals. Rows as new as the '
    'oldest running transaction wait for the next call';
REVOKE ALL ON FUNCTION tenancy.seal_audit(text, integer) FROM PUBLIC;

CREATE FUNCTION tenancy.audit_head(tenant_id text DEFAULT NULL) RETURNS SETOF tenancy.audit_seal
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT s.tenant_id, s.seal_no, s.row_count, s.last_audit_id, s.sealed_at, encode(s.sha256, 'hex')
    FROM tenancy.tenants AS t CROSS JOIN LATERAL (
        SELECT * FROM agent.audit_seals AS x WHERE x.tenant_id = t.tenant_id ORDER BY x.seal_no DESC LIMIT 1) AS s
    WHERE audit_head.tenant_id IS NULL OR t.tenant_id = audit_head.tenant_id
    ORDER BY s.tenant_id;
END;
COMMENT ON FUNCTION tenancy.audit_head(text) IS
    'The newest seal of a tenant, or of each (NULL): to be kept elsewhere, as only that shows that newer seals were removed';
REVOKE ALL ON FUNCTION tenancy.audit_head(text) FROM PUBLIC;
