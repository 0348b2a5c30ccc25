-- Exactly what an application role gets. grant_app() walks this list; nothing else is granted.

CREATE FUNCTION tenancy.app_privileges() RETURNS TABLE (kind text, object text, privileges text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT p.kind, p.object, p.privileges FROM (VALUES
        ('schema', 'tenancy', 'USAGE'),
        ('schema', 'agent', 'USAGE'),
        ('function', 'tenancy.set_tenant_from_jwt(text)', 'EXECUTE'),
        ('function', 'tenancy.current_tenant()', 'EXECUTE'),
        ('function', 'tenancy.current_tenant_or_null()', 'EXECUTE'),
        ('function', 'tenancy.current_subject()', 'EXECUTE'),
        ('function', 'tenancy.current_issuer()', 'EXECUTE'),
        ('function', 'tenancy.current_claims()', 'EXECUTE'),
        ('function', 'tenancy.clear_tenant()', 'EXECUTE'),
        ('function', 'tenancy.take_request(bigint)', 'EXECUTE'), ('function', 'tenancy.decide_request(bigint)', 'EXECUTE'),
        ('function', 'tenancy.is_text(text)', 'EXECUTE'), -- in CHECKs of what the role may write
        ('function', 'tenancy.advisory_lock(bigint)', 'EXECUTE'),
        ('function', 'tenancy.try_advisory_lock(bigint)', 'EXECUTE'),
        ('function', 'tenancy.activity()', 'EXECUTE'),
        ('function', 'tenancy.channel(text)', 'EXECUTE'),
        ('function', 'tenancy.notify(text, text)', 'EXECUTE'),
        -- What row security keeps inside the tenant may be written in plain SQL, too.
        ('table', 'agent.sessions', 'SELECT, INSERT (tenant_id, session_id, parent_session_id, forked_at_index), '
            'UPDATE (reverted_to), DELETE'),
        ('table', 'agent.feedback', 'SELECT, INSERT (tenant_id, trace_id, session_id, rating, comment, correction, '
            'model_id, latency_ms, turn_index, agent_type), UPDATE (rating, comment, correction), DELETE'),
        ('table', 'agent.messages', 'SELECT'),
        ('table', 'agent.traces', 'SELECT'),
        ('table', 'agent.spans', 'SELECT'),
        ('table', 'agent.usage', 'SELECT'),
        ('table', 'agent.audit_log', 'SELECT'),
        ('table', 'agent.audit_seals', 'SELECT'),
        -- All of an alert but how its delivery goes.
        ('table', 'tenancy.alerts', 'SELECT (tenant_id, alert_id, budget_id, scope, scope_value, period, '
            'window_start, mode, kind, measure, threshold, limit_picodollars, limit_tokens, '
            'spent_picodollars, spent_tokens, raised_at)'),
        -- All of a turn but ticket_hash.
        ('table', 'agent.turns', 'SELECT (tenant_id, turn_id, subject, issuer, request_id, session_id, trace_id, '
            'model, model_label, stream, input, hold_picodollars, hold_tokens, started_at, '
            'dispatched_at, deadline, metered_output_tokens, ended_at, status)'),
        ('function', 'agent.call(text, text, jsonb, jsonb)', 'EXECUTE'),
        ('function', 'agent.shared_rate(text, text, jsonb)', 'EXECUTE'),
        ('function', 'agent.end_turn(text, jsonb)', 'EXECUTE'),
        ('function', 'agent.begin_turn(text, jsonb)', 'EXECUTE'),
        ('function', 'agent.create_session(text, jsonb)', 'EXECUTE'),
        ('function', 'agent.get_session(text, jsonb)', 'EXECUTE'),
        ('function', 'agent.delete_session(text, jsonb)', 'EXECUTE'),
        ('function', 'agent.session_usage(text, jsonb)', 'EXECUTE'),
        ('function', 'agent.fork_session(text, jsonb)', 'EXECUTE'),
        ('function', 'agent.revert_session(text, jsonb)', 'EXECUTE'),
        ('function', 'agent.list_traces(text, jsonb)', 'EXECUTE'),
        ('function', 'agent.get_trace(text, jsonb)', 'EXECUTE'),
        ('function', 'agent.create_feedback(text, jsonb)', 'EXECUTE'),
        ('function', 'agent.update_feedback(text, jsonb)', 'EXECUTE'),
        ('function', 'agent.list_feedback(text, jsonb)', 'EXECUTE'),
        ('function', 'agent.feedback_stats(text, jsonb)', 'EXECUTE'),
        ('function', 'agent.list_audit(text, jsonb)', 'EXECUTE'),
        ('function', 'agent.get_budget(text, jsonb)', 'EXECUTE'),
        ('function', 'agent.get_usage(text, jsonb)', 'EXECUTE'),
        ('function', 'agent.budget_rows()', 'EXECUTE'),
        ('function', 'agent.meter_turn(text, bigint)', 'EXECUTE'),
        -- Parts of the routes, which run as the caller. open_turn and record_refusal are definers and
        -- write under the verified tenant only.
        ('function', 'agent.dispatch(text, text, jsonb)', 'EXECUTE'),
        ('function', 'agent.header_mismatch(jsonb)', 'EXECUTE'),
        ('function', 'agent.header_text(text)', 'EXECUTE'),
        ('function', 'agent.open_turn(text, text, boolean, jsonb, jsonb, jsonb)', 'EXECUTE'),
        ('function', 'agent.record_refusal(text, text, text, integer, text)', 'EXECUTE'),
        ('function', 'agent.refuse(text, text, text, integer, text, jsonb, text)', 'EXECUTE'),
        ('function', 'agent.not_found(text, text, text)', 'EXECUTE'),
        ('function', 'agent.answer(integer, jsonb)', 'EXECUTE'),
        ('function', 'agent.limit_refusal(text, jsonb)', 'EXECUTE'),
        ('function', 'agent.limit_body(jsonb, text)', 'EXECUTE'),
        ('function', 'agent.rate_headers(text, jsonb)', 'EXECUTE'),
        ('function', 'agent.shared_refusal(text, jsonb)', 'EXECUTE'),
        ('function', 'agent.tighter_headers(jsonb, jsonb)', 'EXECUTE'),
        ('function', 'agent.bounds_of(jsonb, jsonb)', 'EXECUTE'),
        ('function', 'agent.rate_estimate(agent.turn_bounds)', 'EXECUTE'),
        ('function', 'tenancy.current_rate_limits()', 'EXECUTE'),
        ('function', 'agent.duration_text(bigint)', 'EXECUTE'),
        ('function', 'agent.usd(bigint)', 'EXECUTE'),
        ('function', 'agent.new_id(text)', 'EXECUTE'),
        ('function', 'agent.parse_time(text)', 'EXECUTE'),
        ('function', 'agent.field_verdict(jsonb, jsonb)', 'EXECUTE'),
        ('function', 'agent.field_error(text, jsonb, jsonb, jsonb)', 'EXECUTE'),
        ('function', 'agent.invalid_fields(jsonb, text, jsonb)', 'EXECUTE'),
        ('function', 'agent.invalid_messages(jsonb)', 'EXECUTE'),
        ('function', 'agent.invalid_chat(jsonb)', 'EXECUTE'),
        ('function', 'agent.feedback_rules(boolean)', 'EXECUTE'),
        ('function', 'agent.feedback_record(agent.feedback)', 'EXECUTE'),
        ('function', 'agent.trace_summary(agent.traces)', 'EXECUTE')
    ) AS p(kind, object, privileges);
END;
COMMENT ON FUNCTION tenancy.app_privileges() IS
    'The privileges of an application role: kind and name of each object, and the text between GRANT and ON';
REVOKE ALL ON FUNCTION tenancy.app_privileges() FROM PUBLIC;
