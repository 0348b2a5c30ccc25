-- The words every piece of schema agent uses: the answer of a route and the shape of generated ids.
-- Owns no table and no rule.

CREATE TYPE agent.response AS (status integer, headers jsonb, body jsonb);
COMMENT ON TYPE agent.response IS
    'What a route answers: HTTP status, extra headers as a JSON object, body (NULL = no body)';

CREATE TYPE agent.call_response AS (
    status integer, headers jsonb, body jsonb, tenant_id text, subject text, counted boolean);
COMMENT ON TYPE agent.call_response IS
    'agent.response plus the verified tenant and subject, for logs and metrics of the caller, and whether the request '
    'counts against the rates: what a shared limiter took for one that does not goes back';

CREATE FUNCTION agent.new_id(prefix text) RETURNS text
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pgt_new_id';
COMMENT ON FUNCTION agent.new_id(text) IS
    'A fresh id: the prefix and 16 random hexadecimal digits (64 bits)';
REVOKE ALL ON FUNCTION agent.new_id(text) FROM PUBLIC;
