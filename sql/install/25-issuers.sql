-- Issuers and their keys, for administrators. SECURITY DEFINER so that a role which may only load
-- keys needs EXECUTE on one function and no right on any table; nobody has EXECUTE by default.

CREATE FUNCTION tenancy.parse_jwks(jwks text, OUT kid text, OUT thumbprint text,
        OUT algorithm text, OUT public_jwk text, OUT skipped text) RETURNS SETOF record
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'pgt_parse_jwks';
COMMENT ON FUNCTION tenancy.parse_jwks(text) IS
    'Keys of a JSON Web Key Set (RFC 7517): usable ones, and skipped ones with the reason; 22023 when the set is refused';
REVOKE ALL ON FUNCTION tenancy.parse_jwks(text) FROM PUBLIC;

CREATE FUNCTION tenancy.check_claim_path(path text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'pgt_check_claim_path';
COMMENT ON FUNCTION tenancy.check_claim_path(text) IS 'Whether the text is a claim path';
REVOKE ALL ON FUNCTION tenancy.check_claim_path(text) FROM PUBLIC;

ALTER TABLE tenancy.issuers ADD CHECK (tenancy.check_claim_path(tenant_claim));

-- Raises 22023 unless the condition holds (NULL: it does not).
CREATE FUNCTION tenancy.require(holds boolean, problem text, advice text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF holds IS NOT TRUE THEN
        RAISE EXCEPTION '%', problem USING ERRCODE = 'invalid_parameter_value', HINT = advice;
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.require(boolean, text, text) IS
    'Internal: input validation of the administrators'' functions';
REVOKE ALL ON FUNCTION tenancy.require(boolean, text, text) FROM PUBLIC;

CREATE FUNCTION tenancy.check_issuer_policy(p tenancy.issuers) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    who CONSTANT text := format(' of issuer "%s"', left(p.issuer, 100));
BEGIN
    PERFORM tenancy.require(octet_length(p.issuer) BETWEEN 1 AND 512 AND p.issuer !~ '[[:cntrl:]]',
        'issuer is not usable', 'Give the exact text of "iss": 1 to 512 bytes, no control characters.');
    PERFORM tenancy.require(tenancy.check_claim_path(p.tenant_claim),
        format('tenant_claim "%s"', left(p.tenant_claim, 100)) || who || ' is not a claim path',
        'Give a claim name (org_id), a nested path (org.id), a JSON Pointer (/org/id), or a claim whose own name is a URL.');
    PERFORM tenancy.require(array_position(p.audiences, NULL) IS NULL AND NOT '' = ANY (p.audiences)
                            AND (cardinality(p.audiences) > 0 OR NOT p.require_audience),
        'audiences' || who || ' are not usable',
        'Give the values that "aud" of a token for this service may have, none of them empty.');
    PERFORM tenancy.require(cardinality(p.algorithms) > 0 AND p.algorithms <@ '{ES256,RS256}',
        'algorithms' || who || ' are not supported', 'Use ES256, RS256 or both.');
    PERFORM tenancy.require(p.typ IN ('any', 'JWT', 'at+jwt'),
        format('typ "%s"', left(p.typ, 100)) || who || ' is not known', 'Use any, JWT or at+jwt (RFC 9068).');
    PERFORM tenancy.require(p.leeway_seconds BETWEEN 0 AND 300,
        'leeway_seconds' || who || ' is out of range', 'Use 0 to 300 seconds.');
    PERFORM tenancy.require(coalesce(p.max_lifetime_seconds, 1) > 0 AND coalesce(p.max_age_seconds, 1) > 0,
        'a time limit' || who || ' is not positive', 'Use seconds, or NULL for no limit.');
END
$$;
COMMENT ON FUNCTION tenancy.check_issuer_policy(tenancy.issuers) IS
    'Internal: raises 22023 and says what is wrong with the policy of an issuer';
REVOKE ALL ON FUNCTION tenancy.check_issuer_policy(tenancy.issuers) FROM PUBLIC;

CREATE FUNCTION tenancy.add_issuer(
        issuer text, audiences text[], tenant_claim text DEFAULT 'tenant',
        algorithms text[] DEFAULT '{ES256,RS256}', typ text DEFAULT 'any',
        authorized_parties text[] DEFAULT '{}', leeway_seconds int DEFAULT 30,
        max_lifetime_seconds int DEFAULT NULL, max_age_seconds int DEFAULT NULL,
        require_subject boolean DEFAULT false, require_kid boolean DEFAULT true,
        require_audience boolean DEFAULT true, one_time_jti boolean DEFAULT false) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    new tenancy.issuers;
BEGIN
    new := ROW(issuer, coalesce(audiences, '{}'), tenant_claim, algorithms, typ,
               coalesce(authorized_parties, '{}'), leeway_seconds, max_lifetime_seconds,
               max_age_seconds, require_subject, require_kid, require_audience, clock_timestamp(), NULL,
               one_time_jti);
    PERFORM tenancy.check_issuer_policy(new);
    INSERT INTO tenancy.issuers VALUES (new.*)
    ON CONFLICT ON CONSTRAINT issuers_pkey DO UPDATE SET
        audiences = excluded.audiences, tenant_claim = excluded.tenant_claim,
        algorithms = excluded.algorithms, typ = excluded.typ,
        authorized_parties = excluded.authorized_parties,
        leeway_seconds = excluded.leeway_seconds,
        max_lifetime_seconds = excluded.max_lifetime_seconds,
        max_age_seconds = excluded.max_age_seconds, require_subject = excluded.require_subject,
        require_kid = excluded.require_kid, require_audience = excluded.require_audience,
        one_time_jti = excluded.one_time_jti;
    RETURN issuer;
END
$$;
COMMENT ON FUNCTION tenancy.add_issuer(text, text[], text, text[], text, text[], int, int, int,
    boolean, boolean, boolean, boolean) IS
    'Trusts an issuer (iss, exact bytes) or replaces its policy; durations in seconds, NULL = no limit; one_time_jti: each token counts in one transaction only';
REVOKE ALL ON FUNCTION tenancy.add_issuer(text, text[], text, text[], text, text[], int, int, int,
    boolean, boolean, boolean, boolean) FROM PUBLIC;

CREATE FUNCTION tenancy.require_issuer(p_issuer text) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM tenancy.issuers i WHERE i.issuer = p_issuer) THEN
        RAISE EXCEPTION 'issuer "%" is not trusted', left(p_issuer, 100)
            USING ERRCODE = 'undefined_object',
                  HINT = 'Add it with tenancy.add_issuer() first; the text must equal "iss" byte by byte.';
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.require_issuer(text) IS 'Internal: raises 42704 when the issuer is not trusted';
REVOKE ALL ON FUNCTION tenancy.require_issuer(text) FROM PUBLIC;

-- So that two loads of one set do not mix.
CREATE FUNCTION tenancy.lock_issuer(p_issuer text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM 1 FROM tenancy.issuers i WHERE i.issuer = p_issuer FOR UPDATE;
    PERFORM tenancy.require_issuer(p_issuer);
END
$$;
COMMENT ON FUNCTION tenancy.lock_issuer(text) IS 'Internal: locks the row of a trusted issuer';
REVOKE ALL ON FUNCTION tenancy.lock_issuer(text) FROM PUBLIC;

