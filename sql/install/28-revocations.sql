-- Revocation of single tokens and of a subject's tokens. A backend looks both up by primary key when it
-- judges a token, so a hundred thousand rows cost what one does and no backend loads them.
-- extension/pg/registry_rows.cpp reads these tables by column position: only ever append columns.

CREATE TABLE tenancy.revoked_tokens (
    issuer     text COLLATE "C" NOT NULL REFERENCES tenancy.issuers ON DELETE CASCADE,
    jti        text COLLATE "C" NOT NULL
        CHECK (octet_length(jti) BETWEEN 1 AND 255 AND jti !~ '[[:cntrl:]]'),
    expires_at timestamptz NOT NULL,
    reason     text,
    revoked_at timestamptz NOT NULL,
    PRIMARY KEY (issuer, jti)
);
COMMENT ON TABLE tenancy.revoked_tokens IS
    'Tokens refused by their jti; a row may be purged once the token has expired by itself';

CREATE TABLE tenancy.revoked_subjects (
    issuer        text COLLATE "C" NOT NULL REFERENCES tenancy.issuers ON DELETE CASCADE,
    subject       text COLLATE "C" NOT NULL
        CHECK (octet_length(subject) BETWEEN 1 AND 255 AND subject !~ '[[:cntrl:]]'),
    issued_before timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    reason        text,
    revoked_at    timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject)
);
COMMENT ON TABLE tenancy.revoked_subjects IS
    'Subjects whose tokens issued before a moment are refused; a row may be purged once the last of them has expired';

-- A row of the transaction that used the token: if it rolls back, the token has bought nothing.
CREATE TABLE tenancy.used_tokens (
    issuer     text COLLATE "C" NOT NULL REFERENCES tenancy.issuers ON DELETE CASCADE,
    jti        text COLLATE "C" NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (issuer, jti)
);
COMMENT ON TABLE tenancy.used_tokens IS
    'Tokens of issuers with one_time_jti that were used; written by set_tenant_from_jwt() itself (extension/pg/one_time.cpp)';

REVOKE ALL ON tenancy.revoked_tokens, tenancy.revoked_subjects, tenancy.used_tokens FROM PUBLIC;

CREATE TRIGGER registry_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tenancy.revoked_tokens
    FOR EACH STATEMENT EXECUTE FUNCTION tenancy.registry_changed();
CREATE TRIGGER registry_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tenancy.revoked_subjects
    FOR EACH STATEMENT EXECUTE FUNCTION tenancy.registry_changed();
ALTER TABLE tenancy.revoked_tokens ENABLE ALWAYS TRIGGER registry_changed;
ALTER TABLE tenancy.revoked_subjects ENABLE ALWAYS TRIGGER registry_changed;

-- When tokens of this issuer that exist at p_from are surely dead: by the issuer's maximum lifetime
-- and the largest leeway. Never, when its tokens may live for any time.
CREATE FUNCTION tenancy.last_expiry(p_issuer text, p_from timestamptz) RETURNS timestamptz
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT coalesce((SELECT p_from + make_interval(secs => i.max_lifetime_seconds + 300)
                     FROM tenancy.issuers i WHERE i.issuer = p_issuer), 'infinity');
END;
COMMENT ON FUNCTION tenancy.last_expiry(text, timestamptz) IS
    'Internal: from when on no token of the issuer that existed at the given time can pass';
REVOKE ALL ON FUNCTION tenancy.last_expiry(text, timestamptz) FROM PUBLIC;

CREATE FUNCTION tenancy.revoke_token(issuer text, jti text, expires_at timestamptz DEFAULT NULL,
        reason text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    p_now CONSTANT timestamptz := clock_timestamp();
BEGIN
    PERFORM tenancy.require_issuer(issuer);
    PERFORM tenancy.require(octet_length(jti) BETWEEN 1 AND 255 AND jti !~ '[[:cntrl:]]',
        'jti is not usable', 'Give the text of the token''s "jti": 1 to 255 bytes, no control characters.');
    INSERT INTO tenancy.revoked_tokens AS r (issuer, jti, expires_at, reason, revoked_at)
        VALUES (issuer, jti, coalesce(expires_at, tenancy.last_expiry(issuer, p_now)), reason, p_now)
    ON CONFLICT ON CONSTRAINT revoked_tokens_pkey DO UPDATE SET
        expires_at = greatest(r.expires_at, excluded.expires_at),
        reason = coalesce(excluded.reason, r.reason);
END
$$;
COMMENT ON FUNCTION tenancy.revoke_token(text, text, timestamptz, text) IS
    'Refuses the token with this jti from the next statement of every session on; expires_at (its exp, or NULL) says when the row may be purged';
REVOKE ALL ON FUNCTION tenancy.revoke_token(text, text, timestamptz, text) FROM PUBLIC;

CREATE FUNCTION tenancy.revoke_subject(issuer text, subject text,
        issued_before timestamptz DEFAULT NULL, reason text DEFAULT NULL) RETURNS timestamptz
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    p_now  CONSTANT timestamptz := clock_timestamp();
    p_from timestamptz := coalesce(issued_before, p_now);
BEGIN
    PERFORM tenancy.require_issuer(issuer);
    PERFORM tenancy.require(octet_length(subject) BETWEEN 1 AND 255 AND subject !~ '[[:cntrl:]]',
        'subject is not usable', 'Give the text of the token''s "sub": 1 to 255 bytes, no control characters.');
    -- The later moment wins: repeating an old order takes nothing back.
    INSERT INTO tenancy.revoked_subjects AS r
            (issuer, subject, issued_before, expires_at, reason, revoked_at)
        VALUES (issuer, subject, p_from, tenancy.last_expiry(issuer, p_from), reason, p_now)
    ON CONFLICT ON CONSTRAINT revoked_subjects_pkey DO UPDATE SET
        issued_before = greatest(r.issued_before, excluded.issued_before),
        expires_at = greatest(r.expires_at, excluded.expires_at),
        reason = coalesce(excluded.reason, r.reason), revoked_at = excluded.revoked_at
    RETURNING r.issued_before INTO p_from;
    RETURN p_from;
END
$$;
COMMENT ON FUNCTION tenancy.revoke_subject(text, text, timestamptz, text) IS
    'Refuses the subject''s tokens whose iat is before the given moment (now when NULL) or missing; returns the moment in force';
REVOKE ALL ON FUNCTION tenancy.revoke_subject(text, text, timestamptz, text) FROM PUBLIC;

CREATE FUNCTION tenancy.unrevoke_token(issuer text, jti text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM tenancy.revoked_tokens r
        WHERE r.issuer = unrevoke_token.issuer AND r.jti = unrevoke_token.jti;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION tenancy.unrevoke_token(text, text) IS
    'Takes revoke_token() back; false when there was nothing to take back';
REVOKE ALL ON FUNCTION tenancy.unrevoke_token(text, text) FROM PUBLIC;

CREATE FUNCTION tenancy.unrevoke_subject(issuer text, subject text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM tenancy.revoked_subjects r
        WHERE r.issuer = unrevoke_subject.issuer AND r.subject = unrevoke_subject.subject;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION tenancy.unrevoke_subject(text, text) IS
    'Takes revoke_subject() back; false when there was nothing to take back';
REVOKE ALL ON FUNCTION tenancy.unrevoke_subject(text, text) FROM PUBLIC;

-- Five minutes, the largest leeway, after exp no verifier passes the token any more. The outer conditions are
-- for a revocation that somebody prolongs meanwhile.
CREATE FUNCTION tenancy.purge_revocations(max_rows bigint DEFAULT NULL) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH dead AS (SELECT clock_timestamp() - interval '5 minutes' AS until),
         tokens AS (DELETE FROM tenancy.revoked_tokens r
                    WHERE r.expires_at < (SELECT d.until FROM dead d) AND (r.issuer, r.jti) IN (
                        SELECT x.issuer, x.jti FROM tenancy.revoked_tokens x, dead d WHERE x.expires_at < d.until LIMIT max_rows)
                    RETURNING 1),
         subjects AS (DELETE FROM tenancy.revoked_subjects r
                      WHERE r.expires_at < (SELECT d.until FROM dead d) AND (r.issuer, r.subject) IN (
                        SELECT x.issuer, x.subject FROM tenancy.revoked_subjects x, dead d WHERE x.expires_at < d.until LIMIT max_rows)
                      RETURNING 1),
         used AS (DELETE FROM tenancy.used_tokens u
                  WHERE (u.issuer, u.jti) IN (
                      SELECT x.issuer, x.jti FROM tenancy.used_tokens x, dead d WHERE x.expires_at < d.until LIMIT max_rows)
                  RETURNING 1)
    SELECT (SELECT count(*) FROM tokens) + (SELECT count(*) FROM subjects) + (SELECT count(*) FROM used);
END;
COMMENT ON FUNCTION tenancy.purge_revocations(bigint) IS
    'Deletes revocations and uses of tokens that have expired by themselves, up to max_rows of each kind (NULL: all); returns how many';
REVOKE ALL ON FUNCTION tenancy.purge_revocations(bigint) FROM PUBLIC;
