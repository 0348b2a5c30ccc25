-- Seals of the audit log: each covers the rows of one tenant that came after those of the seal before it,
-- and holds the hash of that seal. Pieces 75-*.sql make and verify them.

CREATE TABLE agent.audit_seals (
    tenant_id text COLLATE "C" NOT NULL DEFAULT tenancy.current_tenant(),
    seal_no bigint NOT NULL CHECK (seal_no > 0),
    first_audit_id bigint NOT NULL,
    last_audit_id bigint NOT NULL,
    row_count bigint NOT NULL CHECK (row_count > 0),
    rows_sha256 bytea NOT NULL CHECK (pg_catalog.octet_length(rows_sha256) = 32),
    sha256 bytea NOT NULL CHECK (pg_catalog.octet_length(sha256) = 32),
    sealed_at timestamptz NOT NULL,
    row_ids bigint[],
    row_marks bytea,
    purged_at timestamptz,
    purge_reason text,
    CHECK (first_audit_id <= last_audit_id),
    CHECK ((purged_at IS NULL) = (row_ids IS NOT NULL AND row_marks IS NOT NULL AND purge_reason IS NULL)),
    PRIMARY KEY (tenant_id, seal_no),
    UNIQUE (tenant_id, last_audit_id)
);
REVOKE ALL ON TABLE agent.audit_seals FROM PUBLIC;
COMMENT ON TABLE agent.audit_seals IS
    'The chain over a tenant''s audit log: what is sealed cannot change without verify_audit() telling';
COMMENT ON COLUMN agent.audit_seals.rows_sha256 IS
    'SHA-256 over the SHA-256 values of the rows (agent.audit_text() in UTF-8), in the order of their ids';
COMMENT ON COLUMN agent.audit_seals.sha256 IS
    'SHA-256 of this seal and of the hash of the one before it, see agent.seal_sha256()';
COMMENT ON COLUMN agent.audit_seals.row_ids IS 'Ids of the rows, so that verify_audit() can name what is missing';
COMMENT ON COLUMN agent.audit_seals.row_marks IS
    'The first 8 bytes of each row''s SHA-256, so that verify_audit() can name what was changed; rows_sha256 is the proof';
COMMENT ON COLUMN agent.audit_seals.purged_at IS 'When retention removed the rows; the seal stays a link of the chain';

-- Text of a row that is the same in every session and version: an array of its values as JSON, times as
-- microseconds since 1970, bytes as hexadecimal digits.
CREATE FUNCTION agent.audit_text(entry agent.audit_log) RETURNS text
LANGUAGE sql STABLE
RETURN pg_catalog.jsonb_build_array(entry.tenant_id, entry.audit_id,
    (extract(epoch FROM entry.occurred_at) OPERATOR(pg_catalog.*) 1000000)::bigint, entry.actor, entry.issuer,
    pg_catalog.encode(entry.token_id_hash, 'hex'), entry.action, entry.resource_type, entry.resource_id, entry.outcome,
    entry.status, entry.reason, entry.trace_id, entry.session_id, entry.request_id, entry.prompt_tokens,
    entry.completion_tokens, entry.cost_picodollars, entry.limit_picodollars)::text;
COMMENT ON FUNCTION agent.audit_text(agent.audit_log) IS 'The text of an audit row that is sealed';
REVOKE ALL ON FUNCTION agent.audit_text(agent.audit_log) FROM PUBLIC;

CREATE FUNCTION agent.audit_leaves(tenant text, after bigint, until bigint, most bigint)
RETURNS TABLE (audit_id bigint, leaf bytea)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT a.audit_id, sha256(convert_to(agent.audit_text(a), 'UTF8'))
    FROM agent.audit_log AS a
    WHERE a.tenant_id = tenant AND a.audit_id > after AND a.audit_id <= until
    ORDER BY a.audit_id LIMIT most;
END;
COMMENT ON FUNCTION agent.audit_leaves(text, bigint, bigint, bigint) IS
    'SHA-256 of each row of a tenant with an id above one and up to another, at most so many (NULL: all)';
REVOKE ALL ON FUNCTION agent.audit_leaves(text, bigint, bigint, bigint) FROM PUBLIC;

-- The leading 1 is the version of this format.
CREATE FUNCTION agent.seal_sha256(seal agent.audit_seals, previous bytea) RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT sha256(convert_to(jsonb_build_array(1, seal.tenant_id, seal.seal_no, seal.first_audit_id, seal.last_audit_id,
        seal.row_count, (extract(epoch FROM seal.sealed_at) * 1000000)::bigint,
        encode(seal.rows_sha256, 'hex'), encode(previous, 'hex'))::text, 'UTF8'));
END;
COMMENT ON FUNCTION agent.seal_sha256(agent.audit_seals, bytea) IS
    'The hash of a seal, given that of the one before it (NULL: it is the first)';
REVOKE ALL ON FUNCTION agent.seal_sha256(agent.audit_seals, bytea) FROM PUBLIC;
