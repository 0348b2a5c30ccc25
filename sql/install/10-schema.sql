-- Schemas. Owns: tenancy (the wall) and agent (the records of an agent server).
-- CREATE SCHEMA fails when one exists already: who made it would own it, and all that is in it.

CREATE SCHEMA tenancy;
COMMENT ON SCHEMA tenancy IS 'pg_tenancy: issuers, keys, tenants and the tenant context';
REVOKE ALL ON SCHEMA tenancy FROM PUBLIC;

CREATE SCHEMA agent;
COMMENT ON SCHEMA agent IS 'pg_tenancy: the records of an agent server and its routes';
REVOKE ALL ON SCHEMA agent FROM PUBLIC;

-- Loads the module, which refuses unless it was preloaded, and the encoding that tokens need.
CREATE FUNCTION tenancy.random_ticket() RETURNS text
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'pgt_random_ticket';
COMMENT ON FUNCTION tenancy.random_ticket() IS
    '256 bits from the server''s strong random source, as 64 hexadecimal digits';
REVOKE ALL ON FUNCTION tenancy.random_ticket() FROM PUBLIC;

CREATE FUNCTION tenancy.is_text(value text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'pgt_is_text';
COMMENT ON FUNCTION tenancy.is_text(text) IS
    'Whether a value is valid in the database''s encoding; one from a setting need not be, and could not be restored from a dump';
REVOKE ALL ON FUNCTION tenancy.is_text(text) FROM PUBLIC;

DO $$
BEGIN
    IF pg_catalog.getdatabaseencoding() OPERATOR(pg_catalog.<>) 'UTF8' THEN
        RAISE EXCEPTION 'pg_tenancy needs a database with encoding UTF8'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = pg_catalog.format('This database has encoding %s; tokens are UTF-8 (RFC 7519).',
                                  pg_catalog.getdatabaseencoding()),
                  HINT = 'Create the database WITH ENCODING ''UTF8'' TEMPLATE template0.';
    END IF;
END
$$;
