-- Rules of the rows that a turn writes, one CHECK for each table: PostgreSQL reads the text of each CHECK anew in
-- every statement. Like any CHECK they take NULL.

CREATE FUNCTION agent.is_turn(line agent.turns) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pgt_is_turn';
COMMENT ON FUNCTION agent.is_turn(agent.turns) IS
    'Rule of agent.turns: status is open, ok, error, aborted or expired, and open exactly until ended_at; '
    'ticket_hash has 32 bytes; session_id is one; no amount is below 0; the client''s texts are '
    'tenancy.is_text()';
REVOKE ALL ON FUNCTION agent.is_turn(agent.turns) FROM PUBLIC;
ALTER TABLE agent.turns ADD CHECK (agent.is_turn(turns));

CREATE FUNCTION agent.is_usage(line agent.usage) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pgt_is_usage';
COMMENT ON FUNCTION agent.is_usage(agent.usage) IS
    'Rule of agent.usage: no amount is below 0; cached and cache-writing tokens are together at most the '
    'input, reasoning tokens at most the output; the models'' names are tenancy.is_text()';
REVOKE ALL ON FUNCTION agent.is_usage(agent.usage) FROM PUBLIC;
ALTER TABLE agent.usage ADD CHECK (agent.is_usage(usage));

CREATE FUNCTION agent.is_trace(line agent.traces) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pgt_is_trace';
COMMENT ON FUNCTION agent.is_trace(agent.traces) IS
    'Rule of agent.traces: status is open, ok, error or aborted; trace_id has 1 to 64 characters; the '
    'client''s texts are tenancy.is_text()';
REVOKE ALL ON FUNCTION agent.is_trace(agent.traces) FROM PUBLIC;
ALTER TABLE agent.traces ADD CHECK (agent.is_trace(traces));

CREATE FUNCTION agent.is_span(line agent.spans) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pgt_is_span';
COMMENT ON FUNCTION agent.is_span(agent.spans) IS
    'Rule of agent.spans: status is ok, error or aborted; the client''s texts are tenancy.is_text()';
REVOKE ALL ON FUNCTION agent.is_span(agent.spans) FROM PUBLIC;
ALTER TABLE agent.spans ADD CHECK (agent.is_span(spans));

CREATE FUNCTION agent.is_audit_row(line agent.audit_log) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pgt_is_audit_row';
COMMENT ON FUNCTION agent.is_audit_row(agent.audit_log) IS
    'Rule of agent.audit_log: outcome is allow, deny or error; status is between 100 and 599; resource_type '
    'has at most 64 characters, resource_id 128, reason 256; the client''s texts are tenancy.is_text()';
REVOKE ALL ON FUNCTION agent.is_audit_row(agent.audit_log) FROM PUBLIC;
ALTER TABLE agent.audit_log ADD CHECK (agent.is_audit_row(audit_log));
