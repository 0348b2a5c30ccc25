-- Turns whose server is gone or that ran past their deadline: their holds are resolved by proof, and
-- metering of turns that run.

-- At least the input is charged, a quarter of its bytes as tokens, and what was metered of the output.
CREATE FUNCTION agent.sweep_turn(turn agent.turns) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    used agent.usage;
BEGIN
    used := agent.record_usage(turn, jsonb_build_object('model', turn.model, 'estimated', true, 'usage', CASE
        WHEN turn.dispatched_at IS NOT NULL THEN jsonb_build_object(
            'prompt_tokens', agent.estimated_input(turn),
            'completion_tokens', coalesce(turn.metered_output_tokens, 0)) END));
    UPDATE agent.turns AS t SET ended_at = used.occurred_at, status = 'expired'
    WHERE t.tenant_id = turn.tenant_id AND t.turn_id = turn.turn_id;
    UPDATE agent.traces AS t SET ended_at = used.occurred_at, status = 'aborted',
        prompt_tokens = used.input_tokens, completion_tokens = used.output_tokens
    WHERE t.tenant_id = turn.tenant_id AND t.trace_id = turn.trace_id AND t.started_at = turn.started_at; -- see close_trace()
    PERFORM agent.audit_turn(turn, used, '{"status": "aborted"}');
END
$$;
COMMENT ON FUNCTION agent.sweep_turn(agent.turns) IS 'Internal: ends an orphaned turn; a late end_turn still counts';
REVOKE ALL ON FUNCTION agent.sweep_turn(agent.turns) FROM PUBLIC;

-- For a maintenance role (tenancy.grant_maintenance), never the application's: its transaction holds locks
-- of the tenants it sweeps. A turn whose ledger or row somebody else has locked is left for the next time,
-- and one that cannot be ended does not keep the others: tenants take turns, or one that keeps a thousand of
-- its own locked would keep those of all others. An instance that never took its lock, such as a
-- psql user, has its turns until the deadline.
CREATE FUNCTION agent.sweep_turns(batch integer DEFAULT 1) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    turn agent.turns;
    swept integer := 0;
BEGIN
    FOR turn IN
        SELECT t.* FROM agent.turns AS t
        WHERE t.status = 'open' AND (t.deadline <= clock_timestamp() OR t.instance_id IN (
            SELECT i.instance_id FROM (
                SELECT DISTINCT o.instance_id FROM agent.turns AS o
                WHERE o.status = 'open' AND o.instance_id IS NOT NULL OFFSET 0) AS i
            WHERE tenancy.instance_is_gone(i.instance_id)))
        ORDER BY row_number() OVER (PARTITION BY t.tenant_id ORDER BY t.started_at), t.started_at
        LIMIT 1000
    LOOP
        EXIT WHEN swept >= batch;
        CONTINUE WHEN NOT tenancy.try_lock_shared_ledger(turn.tenant_id);
        SELECT t.* INTO turn FROM agent.turns AS t
        WHERE t.tenant_id = turn.tenant_id AND t.turn_id = turn.turn_id AND t.status = 'open'
        FOR NO KEY UPDATE SKIP LOCKED;
        IF FOUND THEN
            BEGIN
                PERFORM agent.sweep_turn(turn);
                swept := swept + 1;
            EXCEPTION WHEN OTHERS THEN
                RAISE WARNING 'turn % cannot be swept', turn.turn_id
                    USING DETAIL = format('It failed with SQLSTATE %s.', sqlstate),
                          HINT = 'It stays open, and holds its budget, until the cause is removed; the next sweep tries again.';
            END;
        END IF;
    END LOOP;
    RETURN swept;
END
$$;
COMMENT ON FUNCTION agent.sweep_turns(integer) IS
    'End up to batch open turns whose server instance holds no tenancy.instance_lock() any more, or whose deadline has '
    'passed, the oldest of each tenant first; returns how many. One at a time keeps its transactions short';
REVOKE ALL ON FUNCTION agent.sweep_turns(integer) FROM PUBLIC;

-- Without waiting for the disk: what a crash loses is one interval of metering.
CREATE FUNCTION agent.meter_turn(ticket text, output_tokens bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    turn agent.turns;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    UPDATE agent.turns AS t
    SET metered_output_tokens = greatest(t.metered_output_tokens, least(greatest(output_tokens, 0), 10000000000))
    WHERE t.tenant_id = substr(ticket, 66) AND t.turn_id = agent.turn_of_ticket(ticket)
        AND t.ticket_hash = sha256(convert_to(ticket, 'UTF8')) AND t.ended_at IS NULL -- not by the index of open ones
    RETURNING t.* INTO turn;
    RETURN turn.turn_id IS NOT NULL
        AND turn.metered_output_tokens < turn.hold_tokens - turn.input_token_bound
        AND EXISTS (SELECT FROM tenancy.tenants AS t WHERE t.tenant_id = turn.tenant_id AND t.status = 'active');
END
$$;
COMMENT ON FUNCTION agent.meter_turn(text, bigint) IS
    'Record how many output tokens a running turn has produced. False = stop it: what it holds is used up, its tenant '
    'is suspended, or it has ended';
REVOKE ALL ON FUNCTION agent.meter_turn(text, bigint) FROM PUBLIC;
