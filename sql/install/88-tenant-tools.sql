-- What applications get in place of the functions that harden() takes away: locks and channels that
-- belong to the tenant of the transaction.

CREATE FUNCTION tenancy.advisory_lock(key bigint) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgt_advisory_lock';
COMMENT ON FUNCTION tenancy.advisory_lock(bigint) IS
    'Locks a key of the tenant''s own until the end of the transaction; waits for it. At most tenancy.max_advisory_locks calls per transaction (54000)';
REVOKE ALL ON FUNCTION tenancy.advisory_lock(bigint) FROM PUBLIC;

CREATE FUNCTION tenancy.try_advisory_lock(key bigint) RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgt_try_advisory_lock';
COMMENT ON FUNCTION tenancy.try_advisory_lock(bigint) IS
    'As advisory_lock(), but answers false instead of waiting';
REVOKE ALL ON FUNCTION tenancy.try_advisory_lock(bigint) FROM PUBLIC;

CREATE FUNCTION tenancy.channel(name text) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pgt_channel';
COMMENT ON FUNCTION tenancy.channel(text) IS
    'The tenant''s own channel of that name (1 to 23 bytes), for LISTEN and NOTIFY: tenant_, 32 digits of the SHA-256 of the tenant id, _, name';
REVOKE ALL ON FUNCTION tenancy.channel(text) FROM PUBLIC;

CREATE FUNCTION tenancy.notify(name text, payload text DEFAULT '') RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pgt_notify';
COMMENT ON FUNCTION tenancy.notify(text, text) IS
    'pg_notify() on the tenant''s own channel of that name, see tenancy.channel()';
REVOKE ALL ON FUNCTION tenancy.notify(text, text) FROM PUBLIC;
