-- The registry: trusted issuers, their signing keys, and which claim names which tenant.
-- Owns the tables; the functions that administer them are in 25-issuers.sql and 35-tenants.sql.
-- extension/pg/registry_rows.cpp reads these tables by column position: only ever append columns.

CREATE TABLE tenancy.issuers (
    issuer               text COLLATE "C" PRIMARY KEY
        CHECK (octet_length(issuer) BETWEEN 1 AND 512 AND issuer !~ '[[:cntrl:]]'),
    audiences            text[] NOT NULL,
    tenant_claim         text NOT NULL,
    algorithms           text[] NOT NULL
        CHECK (cardinality(algorithms) > 0 AND algorithms <@ ARRAY['ES256', 'RS256']),
    typ                  text NOT NULL CHECK (typ IN ('any', 'JWT', 'at+jwt')),
    authorized_parties   text[] NOT NULL,
    leeway_seconds       int NOT NULL CHECK (leeway_seconds BETWEEN 0 AND 300),
    max_lifetime_seconds int CHECK (max_lifetime_seconds > 0),
    max_age_seconds      int CHECK (max_age_seconds > 0),
    require_subject      boolean NOT NULL,
    require_kid          boolean NOT NULL,
    require_audience     boolean NOT NULL,
    created_at           timestamptz NOT NULL DEFAULT now(),
    keys_until           timestamptz,
    one_time_jti         boolean NOT NULL DEFAULT false,
    CHECK (NOT require_audience OR cardinality(audiences) > 0)
);
COMMENT ON TABLE tenancy.issuers IS
    'Trusted token issuers and the policy each token of theirs must meet';
COMMENT ON COLUMN tenancy.issuers.keys_until IS
    'From then on none of its keys verifies, unless keep_keys() is called before; NULL: no such end';

CREATE TABLE tenancy.signing_keys (
    issuer      text COLLATE "C" NOT NULL REFERENCES tenancy.issuers ON DELETE CASCADE,
    kid         text COLLATE "C" NOT NULL CHECK (octet_length(kid) <= 256),
    thumbprint  text COLLATE "C" NOT NULL,
    algorithm   text NOT NULL CHECK (algorithm IN ('ES256', 'RS256')),
    public_jwk  text NOT NULL,
    state       text NOT NULL CHECK (state IN ('staged', 'active', 'retiring', 'revoked')),
    valid_from  timestamptz,
    valid_until timestamptz,
    loaded_at   timestamptz NOT NULL DEFAULT now(),
    revoked_at  timestamptz,
    PRIMARY KEY (issuer, kid, thumbprint),
    CHECK ((state = 'retiring') = (valid_until IS NOT NULL AND revoked_at IS NULL)),
    CHECK ((state = 'revoked') = (revoked_at IS NOT NULL)),
    CHECK (state = 'staged' OR valid_from IS NOT NULL)
);
COMMENT ON TABLE tenancy.signing_keys IS
    'Public keys of the issuers; thumbprint is RFC 7638, so one kid with other material is another key';
-- Two keys that could both answer to one kid would leave it open which one verifies.
CREATE UNIQUE INDEX signing_keys_one_active_kid
    ON tenancy.signing_keys (issuer, kid) WHERE state = 'active' AND kid <> '';

CREATE TABLE tenancy.tenants (
    tenant_id    text COLLATE "C" PRIMARY KEY
        CHECK (tenant_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$'),
    status       text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    created_at   timestamptz NOT NULL DEFAULT now(),
    suspended_at timestamptz,
    reason       text,
    CHECK ((status = 'suspended') = (suspended_at IS NOT NULL))
);
COMMENT ON TABLE tenancy.tenants IS 'Registered tenants; a tenant that is not here does not exist';

CREATE TABLE tenancy.tenant_claims (
    issuer      text COLLATE "C" NOT NULL REFERENCES tenancy.issuers,
    claim_value text COLLATE "C" NOT NULL
        CHECK (octet_length(claim_value) BETWEEN 1 AND 255 AND claim_value !~ '[[:cntrl:]]'
               AND claim_value = btrim(claim_value)),
    tenant_id   text COLLATE "C" NOT NULL REFERENCES tenancy.tenants,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (issuer, claim_value)
);
COMMENT ON TABLE tenancy.tenant_claims IS
    'Which tenant the claim value of an issuer names; an issuer can never name another''s tenant';
CREATE INDEX tenant_claims_tenant_id ON tenancy.tenant_claims (tenant_id);

CREATE TABLE tenancy.app_roles (
    role_name  name PRIMARY KEY,
    granted_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE tenancy.app_roles IS 'Roles made application roles by tenancy.grant_app()';

REVOKE ALL ON tenancy.issuers, tenancy.signing_keys, tenancy.tenants, tenancy.tenant_claims,
    tenancy.app_roles FROM PUBLIC;

CREATE FUNCTION tenancy.registry_changed() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'pgt_registry_changed';
COMMENT ON FUNCTION tenancy.registry_changed() IS
    'Makes every backend read the registry again at its next statement';
REVOKE ALL ON FUNCTION tenancy.registry_changed() FROM PUBLIC;

CREATE TRIGGER registry_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tenancy.issuers
    FOR EACH STATEMENT EXECUTE FUNCTION tenancy.registry_changed();
CREATE TRIGGER registry_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tenancy.signing_keys
    FOR EACH STATEMENT EXECUTE FUNCTION tenancy.registry_changed();
CREATE TRIGGER registry_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tenancy.tenants
    FOR EACH STATEMENT EXECUTE FUNCTION tenancy.registry_changed();
CREATE TRIGGER registry_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tenancy.tenant_claims
    FOR EACH STATEMENT EXECUTE FUNCTION tenancy.registry_changed();

-- ALWAYS: also where session_replication_role would skip ordinary triggers.
ALTER TABLE tenancy.issuers ENABLE ALWAYS TRIGGER registry_changed;
ALTER TABLE tenancy.signing_keys ENABLE ALWAYS TRIGGER registry_changed;
ALTER TABLE tenancy.tenants ENABLE ALWAYS TRIGGER registry_changed;
ALTER TABLE tenancy.tenant_claims ENABLE ALWAYS TRIGGER registry_changed;
