-- What verification has done since the server started, from shared memory.

CREATE FUNCTION tenancy.token_counters(OUT kind text, OUT name text, OUT count bigint)
    RETURNS SETOF record
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'pgt_token_counters';
COMMENT ON FUNCTION tenancy.token_counters() IS
    'Internal: counters of token verification, over all databases of the server';
REVOKE ALL ON FUNCTION tenancy.token_counters() FROM PUBLIC;

CREATE VIEW tenancy.stat_tokens AS
    SELECT c.name AS reason, c.count FROM tenancy.token_counters() c WHERE c.kind = 'refusal';
COMMENT ON VIEW tenancy.stat_tokens IS
    'Refused tokens by reason, over all databases since the server started';

CREATE VIEW tenancy.stat_token_cache AS
    SELECT max(c.count) FILTER (WHERE c.name = 'verified') AS verified,
           max(c.count) FILTER (WHERE c.name = 'shared_hits') AS shared_hits,
           max(c.count) FILTER (WHERE c.name = 'local_hits') AS local_hits,
           max(c.count) FILTER (WHERE c.name = 'evictions') AS evictions
    FROM tenancy.token_counters() c WHERE c.kind = 'event';
COMMENT ON VIEW tenancy.stat_token_cache IS
    'How the proof of a good signature was had: by a full verification, from the shared cache, from the backend''s own; and proofs the shared cache had to drop';

-- Kinds are those of UseKind in extension/pg/key_uses.hpp.
CREATE FUNCTION tenancy.key_uses(kind integer, OUT subject bytea, OUT count bigint,
        OUT last_at timestamptz) RETURNS SETOF record
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'pgt_key_uses';
COMMENT ON FUNCTION tenancy.key_uses(integer) IS
    'Internal: uses of keys (1) and unknown kids of issuers (2) in this database since the server started';
REVOKE ALL ON FUNCTION tenancy.key_uses(integer) FROM PUBLIC;

CREATE VIEW tenancy.keys AS
    SELECT k.issuer, k.kid, k.thumbprint, k.algorithm,
           CASE WHEN k.state = 'retiring' AND k.valid_until <= now() THEN 'retired'
                WHEN k.state IN ('active', 'retiring') AND i.keys_until <= now() THEN 'stale'
                ELSE k.state END AS state,
           k.valid_from, k.valid_until, k.loaded_at, k.revoked_at,
           coalesce(u.count, 0) AS use_count, u.last_at AS last_used_at
    FROM tenancy.signing_keys k
    JOIN tenancy.issuers i ON i.issuer = k.issuer
    LEFT JOIN tenancy.key_uses(1) u
        ON u.subject = sha256(convert_to(k.issuer || E'\n' || k.kid || E'\n' || k.thumbprint, 'UTF8'));
COMMENT ON VIEW tenancy.keys IS
    'Signing keys with their state now, and how often and when each last verified a token since the server started';
REVOKE ALL ON tenancy.stat_tokens, tenancy.stat_token_cache, tenancy.keys FROM PUBLIC;
