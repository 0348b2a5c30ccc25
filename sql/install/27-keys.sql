-- Signing keys: loaded as a set, retired with a date, revoked at once.

CREATE FUNCTION tenancy.load_jwks(issuer text, jwks text, grace interval DEFAULT '0',
        OUT kid text, OUT thumbprint text, OUT algorithm text, OUT outcome text)
    RETURNS SETOF record
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    p_issuer CONSTANT text := load_jwks.issuer;
    p_now    CONSTANT timestamptz := clock_timestamp();
    p_until  CONSTANT timestamptz := p_now + greatest(load_jwks.grace, '0');
    p_keys   CONSTANT jsonb := (SELECT jsonb_agg(to_jsonb(k))
                                FROM tenancy.parse_jwks(load_jwks.jwks) k);
BEGIN
    PERFORM tenancy.lock_issuer(p_issuer);
    IF p_keys IS NULL THEN
        RAISE EXCEPTION 'JSON Web Key Set is NULL' USING ERRCODE = 'null_value_not_allowed',
            HINT = 'Give the document that the issuer publishes at its jwks_uri.';
    END IF;
    -- What the issuer no longer publishes is no longer trusted, after the grace if there is one. A
    -- key whose kid now has other material goes at once: one kid must mean one key.
    RETURN QUERY
        UPDATE tenancy.signing_keys k SET state = 'retiring',
            valid_until = CASE WHEN k.kid IN (SELECT n->>'kid' FROM jsonb_array_elements(p_keys) n)
                               THEN p_now ELSE p_until END
        WHERE k.issuer = p_issuer AND (k.state = 'active' OR k.state = 'retiring' AND k.valid_until > p_now
                AND k.kid IN (SELECT n->>'kid' FROM jsonb_array_elements(p_keys) n))
          AND NOT EXISTS (
            SELECT FROM jsonb_array_elements(p_keys) n
            WHERE n->>'kid' = k.kid AND n->>'thumbprint' = k.thumbprint)
        RETURNING k.kid, k.thumbprint, k.algorithm, 'retiring';
    INSERT INTO tenancy.signing_keys AS k
        (issuer, kid, thumbprint, algorithm, public_jwk, state, valid_from)
    SELECT p_issuer, n->>'kid', n->>'thumbprint', n->>'algorithm', n->>'public_jwk', 'active',
           '-infinity'
    FROM jsonb_array_elements(p_keys) n WHERE n->>'skipped' IS NULL
    ON CONFLICT ON CONSTRAINT signing_keys_pkey DO UPDATE SET
        state = 'active', valid_from = '-infinity', valid_until = NULL
        WHERE k.state IN ('staged', 'retiring');
    RETURN QUERY
        SELECT n->>'kid', n->>'thumbprint', n->>'algorithm',
               coalesce(k.state, 'skipped: ' || (n->>'skipped'))
        FROM jsonb_array_elements(p_keys) n
        LEFT JOIN tenancy.signing_keys k
            ON k.issuer = p_issuer AND k.kid = n->>'kid' AND k.thumbprint = n->>'thumbprint';
END
$$;
COMMENT ON FUNCTION tenancy.load_jwks(text, text, interval) IS
    'Replaces the keys of an issuer by a JSON Web Key Set, all or nothing; keys not in it end after grace; revoked ones stay revoked. One row per key';
REVOKE ALL ON FUNCTION tenancy.load_jwks(text, text, interval) FROM PUBLIC;

-- For callers that hold jsonb. Duplicate members were lost in that cast; the text form refuses them.
CREATE FUNCTION tenancy.load_jwks(issuer text, jwks jsonb, grace interval DEFAULT '0',
        OUT kid text, OUT thumbprint text, OUT algorithm text, OUT outcome text)
    RETURNS SETOF record
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT l.kid, l.thumbprint, l.algorithm, l.outcome
    FROM tenancy.load_jwks(load_jwks.issuer, load_jwks.jwks::text, load_jwks.grace) l;
END;
COMMENT ON FUNCTION tenancy.load_jwks(text, jsonb, interval) IS
    'As load_jwks(text, text, interval), for a set that is jsonb already';
REVOKE ALL ON FUNCTION tenancy.load_jwks(text, jsonb, interval) FROM PUBLIC;

CREATE FUNCTION tenancy.keep_keys(issuer text, how_long interval) RETURNS timestamptz
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    p_until CONSTANT timestamptz := clock_timestamp() + keep_keys.how_long;
BEGIN
    PERFORM tenancy.lock_issuer(keep_keys.issuer);
    UPDATE tenancy.issuers i SET keys_until = p_until WHERE i.issuer = keep_keys.issuer;
    RETURN p_until;
END
$$;
COMMENT ON FUNCTION tenancy.keep_keys(text, interval) IS
    'Says that the keys of an issuer are current: they verify for how_long from now, each no longer than it would; NULL: until it is changed. Returns that end';
REVOKE ALL ON FUNCTION tenancy.keep_keys(text, interval) FROM PUBLIC;

CREATE FUNCTION tenancy.retire_key(issuer text, kid text, at timestamptz DEFAULT now())
    RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    UPDATE tenancy.signing_keys k SET state = 'retiring', valid_until = coalesce(at, now())
    WHERE k.issuer = retire_key.issuer AND k.kid = retire_key.kid AND k.state IN ('active', 'retiring');
    IF NOT FOUND THEN
        RAISE EXCEPTION 'issuer "%" has no key "%" to retire', left(retire_key.issuer, 100),
                        left(retire_key.kid, 100)
            USING ERRCODE = 'undefined_object',
                  HINT = 'See tenancy.signing_keys for the keys that are there.';
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.retire_key(text, text, timestamptz) IS
    'Lets a key verify tokens until the given time and not after';
REVOKE ALL ON FUNCTION tenancy.retire_key(text, text, timestamptz) FROM PUBLIC;

CREATE FUNCTION tenancy.revoke_key(issuer text, kid text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    UPDATE tenancy.signing_keys k SET state = 'revoked', revoked_at = clock_timestamp(),
        valid_from = coalesce(k.valid_from, '-infinity')
    WHERE k.issuer = revoke_key.issuer AND k.kid = revoke_key.kid AND k.state <> 'revoked';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'issuer "%" has no key "%" to revoke', left(revoke_key.issuer, 100),
                        left(revoke_key.kid, 100)
            USING ERRCODE = 'undefined_object',
                  HINT = 'See tenancy.signing_keys for the keys that are there.';
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.revoke_key(text, text) IS
    'Ends a key for good: no token it signed passes in any backend from its next statement on';
REVOKE ALL ON FUNCTION tenancy.revoke_key(text, text) FROM PUBLIC;
