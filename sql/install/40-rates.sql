-- Rates: requests and tokens per minute of each tenant, and requests of each of its subjects, decided in
-- shared memory by GCRA. No row is written for a decision. The limits are rows, and count at the next
-- statement.
-- extension/pg/registry_rows.cpp reads the table by column position: only ever append columns.

CREATE TABLE tenancy.rate_limits (
    tenant_id           text COLLATE "C" PRIMARY KEY
        CHECK (tenant_id = '*' OR tenant_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$'),
    requests_per_minute bigint CHECK (requests_per_minute BETWEEN 1 AND 60000000),
    burst               bigint CHECK (burst BETWEEN 1 AND 60000000),
    tokens_per_minute   bigint CHECK (tokens_per_minute BETWEEN 1 AND 60000000000),
    max_concurrent      integer CHECK (max_concurrent >= 1),
    changed_at          timestamptz NOT NULL DEFAULT now(),
    subject_requests_per_minute bigint CHECK (subject_requests_per_minute BETWEEN 1 AND 60000000),
    CHECK ((burst IS NULL) = (requests_per_minute IS NULL))
);
COMMENT ON TABLE tenancy.rate_limits IS
    'Rate limits; the row * is for every tenant without one of its own; NULL = no such limit';
REVOKE ALL ON tenancy.rate_limits FROM PUBLIC;
CREATE TRIGGER registry_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tenancy.rate_limits
    FOR EACH STATEMENT EXECUTE FUNCTION tenancy.registry_changed();
ALTER TABLE tenancy.rate_limits ENABLE ALWAYS TRIGGER registry_changed;

CREATE FUNCTION tenancy.set_rate_limit(
        tenant_id text DEFAULT NULL, requests_per_minute bigint DEFAULT NULL,
        burst bigint DEFAULT NULL, tokens_per_minute bigint DEFAULT NULL,
        max_concurrent int DEFAULT NULL, subject_requests_per_minute bigint DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    who CONSTANT text := coalesce(tenant_id, '*');
BEGIN
    PERFORM tenancy.require(who = '*' OR EXISTS (SELECT FROM tenancy.tenants t WHERE t.tenant_id = who),
        format('tenant "%s" is not registered', left(who, 100)),
        'See tenancy.tenants, or give NULL for the default of all tenants.');
    PERFORM tenancy.require(coalesce(requests_per_minute, 1) BETWEEN 1 AND 60000000
            AND coalesce(burst, 1) BETWEEN 1 AND 60000000
            AND coalesce(subject_requests_per_minute, 1) BETWEEN 1 AND 60000000
            AND coalesce(tokens_per_minute, 1) BETWEEN 1 AND 60000000000
            AND coalesce(max_concurrent, 1) >= 1,
        'a rate limit is out of range',
        'Use 1 to 60000000 requests, 1 to 60000000000 tokens, 1 or more turns, or NULL for no limit.');
    PERFORM tenancy.require(burst IS NULL OR requests_per_minute IS NOT NULL,
        'a burst needs a rate', 'Give requests_per_minute too.');
    INSERT INTO tenancy.rate_limits VALUES (who, requests_per_minute,
        coalesce(burst, requests_per_minute), tokens_per_minute, max_concurrent, clock_timestamp(),
        subject_requests_per_minute)
    ON CONFLICT ON CONSTRAINT rate_limits_pkey DO UPDATE SET
        requests_per_minute = excluded.requests_per_minute, burst = excluded.burst,
        tokens_per_minute = excluded.tokens_per_minute, max_concurrent = excluded.max_concurrent,
        changed_at = excluded.changed_at, subject_requests_per_minute = excluded.subject_requests_per_minute;
END
$$;
COMMENT ON FUNCTION tenancy.set_rate_limit(text, bigint, bigint, bigint, int, bigint) IS
    'Sets the rates of a tenant (NULL: the default of all); NULL = no such limit; burst is the number of requests at once, a whole minute''s unless given; subject_requests_per_minute is for each subject, a whole minute''s at once';
REVOKE ALL ON FUNCTION tenancy.set_rate_limit(text, bigint, bigint, bigint, int, bigint) FROM PUBLIC;

CREATE FUNCTION tenancy.take_rate(kind int, cost bigint, OUT allowed boolean, OUT "limit" bigint,
        OUT remaining bigint, OUT retry_after_ms bigint, OUT reset_after_ms bigint, OUT per text)
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgt_take_rate';
COMMENT ON FUNCTION tenancy.take_rate(int, bigint) IS
    'Internal: takes units of the verified tenant''s rate; kind 1 = requests, 2 = tokens; per = tenant, or subject where its own limit is the tighter';
REVOKE ALL ON FUNCTION tenancy.take_rate(int, bigint) FROM PUBLIC;

CREATE FUNCTION tenancy.give_back_rate(tenant_id text, kind int, units bigint, taken_at timestamptz) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgt_give_back_rate';
COMMENT ON FUNCTION tenancy.give_back_rate(text, int, bigint, timestamptz) IS
    'Internal: gives units back that were taken and not used, less what has run off since. For definer functions only';
REVOKE ALL ON FUNCTION tenancy.give_back_rate(text, int, bigint, timestamptz) FROM PUBLIC;

CREATE FUNCTION tenancy.forget_rates(tenant_id text) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgt_forget_rates';
COMMENT ON FUNCTION tenancy.forget_rates(text) IS 'Internal: drops what memory holds of a tenant''s rates';
REVOKE ALL ON FUNCTION tenancy.forget_rates(text) FROM PUBLIC;

CREATE FUNCTION tenancy.take_request(cost bigint DEFAULT 1, OUT allowed boolean, OUT "limit" bigint,
        OUT remaining bigint, OUT retry_after_ms bigint, OUT reset_after_ms bigint)
    LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgt_take_request';
COMMENT ON FUNCTION tenancy.take_request(bigint) IS
    'Takes requests of the verified tenant''s rate (GCRA, exact over all sessions); limit is per minute; NULLs where there is no limit; retry_after_ms is NULL when the cost can never pass';
REVOKE ALL ON FUNCTION tenancy.take_request(bigint) FROM PUBLIC;

CREATE FUNCTION tenancy.decide_request(cost bigint, OUT allowed boolean, OUT "limit" bigint, OUT remaining bigint,
        OUT retry_after_ms bigint, OUT reset_after_ms bigint, OUT per text)
    LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgt_take_request';
COMMENT ON FUNCTION tenancy.decide_request(bigint) IS
    'As take_request(), and whose limit decided: per = tenant, or subject where its own limit is the tighter';
REVOKE ALL ON FUNCTION tenancy.decide_request(bigint) FROM PUBLIC;
