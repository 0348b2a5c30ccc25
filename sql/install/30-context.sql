-- The tenant context: a verified token is the context of the current transaction.

CREATE FUNCTION tenancy.set_tenant_from_jwt(token text) RETURNS text
    LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'pgt_set_tenant_from_jwt';
COMMENT ON FUNCTION tenancy.set_tenant_from_jwt(text) IS
    'Verifies an ES256 or RS256 JWT and makes its tenant the context of this transaction; returns the tenant id. PT401 when it is not good, PT403 when the tenant is suspended';
REVOKE ALL ON FUNCTION tenancy.set_tenant_from_jwt(text) FROM PUBLIC;

-- What is done in the block is rolled back with it, the use of a token that counts once included.
CREATE FUNCTION tenancy.check_token(token text, OUT tenant_id text, OUT subject text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    tenant_id := tenancy.set_tenant_from_jwt(token);
    subject := tenancy.current_subject();
    RAISE EXCEPTION 'the token is good' USING ERRCODE = 'TN001';
EXCEPTION WHEN SQLSTATE 'TN001' THEN
    RETURN;
END
$$;
COMMENT ON FUNCTION tenancy.check_token(text) IS
    'Verifies a token as set_tenant_from_jwt() does and undoes it: no context, and one that counts once still counts. Raises PT401, PT403';
REVOKE ALL ON FUNCTION tenancy.check_token(text) FROM PUBLIC;

-- RESTRICTED: the leader evaluates it once per statement and ships the value to the workers. Not
-- LEAKPROOF: it takes no column, so that would gain nothing.
CREATE FUNCTION tenancy.current_tenant() RETURNS text
    LANGUAGE c STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'pgt_current_tenant';
COMMENT ON FUNCTION tenancy.current_tenant() IS
    'Tenant of this transaction; raises 42501 when none is set, PT401 or PT403 when tenancy.token is not good';
REVOKE ALL ON FUNCTION tenancy.current_tenant() FROM PUBLIC;

CREATE FUNCTION tenancy.current_tenant_or_null() RETURNS text
    LANGUAGE c STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'pgt_current_tenant_or_null';
COMMENT ON FUNCTION tenancy.current_tenant_or_null() IS
    'As current_tenant(), but NULL when none is set; a token that is not good still raises';
REVOKE ALL ON FUNCTION tenancy.current_tenant_or_null() FROM PUBLIC;

CREATE FUNCTION tenancy.current_subject() RETURNS text
    LANGUAGE c STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'pgt_current_subject';
COMMENT ON FUNCTION tenancy.current_subject() IS
    'Claim "sub" of the verified token (RFC 7519 section 4.1.2); NULL when there is none';
REVOKE ALL ON FUNCTION tenancy.current_subject() FROM PUBLIC;

CREATE FUNCTION tenancy.current_issuer() RETURNS text
    LANGUAGE c STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'pgt_current_issuer';
COMMENT ON FUNCTION tenancy.current_issuer() IS
    'Claim "iss" of the verified token; NULL when no tenant is set';
REVOKE ALL ON FUNCTION tenancy.current_issuer() FROM PUBLIC;

CREATE FUNCTION tenancy.current_claims() RETURNS jsonb
    LANGUAGE c STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'pgt_current_claims';
COMMENT ON FUNCTION tenancy.current_claims() IS
    'All claims of the verified token; raises like current_tenant()';
REVOKE ALL ON FUNCTION tenancy.current_claims() FROM PUBLIC;

CREATE FUNCTION tenancy.clear_tenant() RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'pgt_clear_tenant';
COMMENT ON FUNCTION tenancy.clear_tenant() IS
    'Ends the tenant context for the rest of this transaction; another tenant still cannot be set in it';
REVOKE ALL ON FUNCTION tenancy.clear_tenant() FROM PUBLIC;

CREATE FUNCTION tenancy.transaction_had_tenant() RETURNS boolean
    LANGUAGE c STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'pgt_transaction_had_tenant';
COMMENT ON FUNCTION tenancy.transaction_had_tenant() IS
    'Internal: whether a tenant was set in this transaction, also when it was cleared since';
REVOKE ALL ON FUNCTION tenancy.transaction_had_tenant() FROM PUBLIC;
