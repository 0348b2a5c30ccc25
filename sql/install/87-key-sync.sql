-- What tenancyd sync-keys works with: a role that can do nothing but load keys for issuers that an
-- administrator has trusted.

CREATE FUNCTION tenancy.key_sync_state(OUT issuer text, OUT unknown_kids bigint)
    RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT i.issuer, coalesce(u.count, 0)
    FROM tenancy.issuers i
    LEFT JOIN tenancy.key_uses(2) u ON u.subject = sha256(convert_to(i.issuer, 'UTF8'));
END;
COMMENT ON FUNCTION tenancy.key_sync_state() IS
    'The trusted issuers, and how many of their tokens named a key that is not there since the server started: a count that grows says that a new key may have been published';
REVOKE ALL ON FUNCTION tenancy.key_sync_state() FROM PUBLIC;

CREATE FUNCTION tenancy.key_sync_lock() RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT tenancy.instance_lock('tenancyd sync-keys');
END;
COMMENT ON FUNCTION tenancy.key_sync_lock() IS
    'Makes this session the one that loads keys in this database, until it ends; false when another one is';
REVOKE ALL ON FUNCTION tenancy.key_sync_lock() FROM PUBLIC;

CREATE FUNCTION tenancy.grant_key_sync(role name) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.require_no_app_role(role); -- who can load a key can become any tenant of its issuer
    EXECUTE format('GRANT USAGE ON SCHEMA tenancy TO %I', role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION tenancy.load_jwks(text, text, interval), '
                   'tenancy.keep_keys(text, interval), '
                   'tenancy.key_sync_state(), tenancy.key_sync_lock() TO %I', role);
END
$$;
COMMENT ON FUNCTION tenancy.grant_key_sync(name) IS
    'Lets a role, not an application role, load keys for issuers that are trusted already, and nothing else';
REVOKE ALL ON FUNCTION tenancy.grant_key_sync(name) FROM PUBLIC;
