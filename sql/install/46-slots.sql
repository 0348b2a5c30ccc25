-- Counters of budgets in shared memory, as SQL functions: parts of 47-holds.sql, granted to nobody.
-- budget_id 0 counts the open turns of a tenant, for max_concurrent.

CREATE FUNCTION tenancy.lock_ledger(tenant_id text, exclusive boolean) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgt_lock_ledger';
COMMENT ON FUNCTION tenancy.lock_ledger(text, boolean) IS
    'Internal: locks the ledger of a tenant to the end of the transaction; shared to add rows, exclusive to count them';
REVOKE ALL ON FUNCTION tenancy.lock_ledger(text, boolean) FROM PUBLIC;

CREATE FUNCTION tenancy.unlock_shared_ledger(tenant_id text) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgt_unlock_shared_ledger';
COMMENT ON FUNCTION tenancy.unlock_shared_ledger(text) IS 'Internal: gives one shared lock back early';
REVOKE ALL ON FUNCTION tenancy.unlock_shared_ledger(text) FROM PUBLIC;

CREATE FUNCTION tenancy.try_lock_shared_ledger(tenant_id text) RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgt_try_lock_shared_ledger';
COMMENT ON FUNCTION tenancy.try_lock_shared_ledger(text) IS 'Internal: the shared lock, or false without waiting';
REVOKE ALL ON FUNCTION tenancy.try_lock_shared_ledger(text) FROM PUBLIC;

CREATE FUNCTION tenancy.unlock_exclusive_ledger(tenant_id text) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgt_unlock_exclusive_ledger';
COMMENT ON FUNCTION tenancy.unlock_exclusive_ledger(text) IS 'Internal: gives the exclusive lock back early';
REVOKE ALL ON FUNCTION tenancy.unlock_exclusive_ledger(text) FROM PUBLIC;

CREATE FUNCTION tenancy.slot_hold(tenant_id text, budget_id bigint, scope_value text,
        window_start timestamptz, money bigint, tokens bigint, money_limit bigint, tokens_limit bigint,
        OUT held boolean, OUT spent_money bigint, OUT spent_tokens bigint,
        OUT used_money bigint, OUT used_tokens bigint)
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgt_slot_hold';
COMMENT ON FUNCTION tenancy.slot_hold(text, bigint, text, timestamptz, bigint, bigint, bigint, bigint) IS
    'Internal: adds to a counter if it stays within both limits (negative: none); held is NULL when the counter must be rebuilt; undone by rollback';
REVOKE ALL ON FUNCTION tenancy.slot_hold(text, bigint, text, timestamptz, bigint, bigint, bigint, bigint) FROM PUBLIC;

CREATE FUNCTION tenancy.slot_fill(tenant_id text, budget_id bigint, scope_value text,
        window_start timestamptz, used_money bigint, used_tokens bigint,
        spent_money bigint, spent_tokens bigint) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgt_slot_fill';
COMMENT ON FUNCTION tenancy.slot_fill(text, bigint, text, timestamptz, bigint, bigint, bigint, bigint) IS
    'Internal: makes a counter with these values, under the exclusive ledger lock';
REVOKE ALL ON FUNCTION tenancy.slot_fill(text, bigint, text, timestamptz, bigint, bigint, bigint, bigint) FROM PUBLIC;

CREATE FUNCTION tenancy.slots(OUT tenant_id text, OUT budget_id bigint, OUT scope_value text,
        OUT window_start timestamptz, OUT used_money bigint, OUT used_tokens bigint,
        OUT spent_money bigint, OUT spent_tokens bigint) RETURNS SETOF record
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgt_slots';
COMMENT ON FUNCTION tenancy.slots() IS 'Internal: the counters of this database as they are in memory';
REVOKE ALL ON FUNCTION tenancy.slots() FROM PUBLIC;

CREATE FUNCTION tenancy.slots_drop() RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgt_slots_drop';
COMMENT ON FUNCTION tenancy.slots_drop() IS 'Internal: drops the counters of this database, to be rebuilt from the rows';
REVOKE ALL ON FUNCTION tenancy.slots_drop() FROM PUBLIC;

CREATE FUNCTION tenancy.holds_mark() RETURNS int
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgt_holds_mark';
COMMENT ON FUNCTION tenancy.holds_mark() IS 'Internal: how many changes of counters this transaction has pending';
REVOKE ALL ON FUNCTION tenancy.holds_mark() FROM PUBLIC;

CREATE FUNCTION tenancy.holds_undo(mark int) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgt_holds_undo';
COMMENT ON FUNCTION tenancy.holds_undo(int) IS 'Internal: takes back the holds made since a mark';
REVOKE ALL ON FUNCTION tenancy.holds_undo(int) FROM PUBLIC;

CREATE FUNCTION tenancy.instance_lock(instance_id text) RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgt_instance_lock';
COMMENT ON FUNCTION tenancy.instance_lock(text) IS
    'Holds, for the rest of this session, the lock that says a server instance is alive; false when another session has it';
REVOKE ALL ON FUNCTION tenancy.instance_lock(text) FROM PUBLIC;

CREATE FUNCTION tenancy.instance_is_gone(instance_id text) RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgt_instance_is_gone';
COMMENT ON FUNCTION tenancy.instance_is_gone(text) IS 'Internal: whether no session holds the lock of an instance';
REVOKE ALL ON FUNCTION tenancy.instance_is_gone(text) FROM PUBLIC;
