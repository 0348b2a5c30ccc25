-- Open and ended turns, and the ledger of what they used. The application role can read both and write neither.

CREATE FUNCTION agent.is_messages(input jsonb) RETURNS boolean
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'pgt_is_messages'; -- not STRICT: NULL is none
COMMENT ON FUNCTION agent.is_messages(jsonb) IS 'Whether it is an array of nothing but objects';
REVOKE ALL ON FUNCTION agent.is_messages(jsonb) FROM PUBLIC;

-- Its rules, and those of the tables that follow, are in 56-record-rules.sql.
CREATE TABLE agent.turns (
    tenant_id text COLLATE "C" NOT NULL DEFAULT tenancy.current_tenant(),
    turn_id text COLLATE "C" NOT NULL DEFAULT agent.new_id('turn_'),
    ticket_hash bytea NOT NULL,
    subject text,
    issuer text,
    token_id_hash bytea,
    request_id text,
    session_id text COLLATE "C",
    session_created_at timestamptz,
    trace_id text COLLATE "C" NOT NULL,
    model text,
    fallback_models text[] COLLATE "C",
    model_label text,
    stream boolean NOT NULL DEFAULT false,
    input jsonb,
    instance_id text,
    hold_picodollars bigint,
    hold_tokens bigint,
    input_token_bound bigint,
    rate_tokens bigint,
    started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    dispatched_at timestamptz,
    deadline timestamptz,
    metered_output_tokens bigint,
    ended_at timestamptz,
    status text NOT NULL DEFAULT 'open',
    -- Whatever open_turn accepts, end_turn must be able to store, or the turn could not be settled.
    CONSTRAINT turns_input_is_messages CHECK (ended_at IS NOT NULL OR agent.is_messages(input)),
    PRIMARY KEY (tenant_id, turn_id)
) WITH (fillfactor = 85);
REVOKE ALL ON TABLE agent.turns FROM PUBLIC;
CREATE INDEX turns_open ON agent.turns (tenant_id, started_at) WHERE status = 'open';
COMMENT ON TABLE agent.turns IS
    'One model call of a tenant, from begin_turn to end_turn. '
    'An ended turn stays, so that a retry of end_turn is recognised';
-- The id follows from the ticket, so that one index finds a turn by either: with two of the same first column, a
-- plan that was made before the table had statistics walks all turns of the tenant.
CREATE FUNCTION agent.turn_of_ticket(ticket text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN 'turn_' || pg_catalog.substr(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(ticket, 'UTF8')), 'hex'), 1, 16);
COMMENT ON FUNCTION agent.turn_of_ticket(text) IS
    'Id of the turn that a ticket ends: 64 bits of its SHA-256, which tell nothing about its 256 random bits';
REVOKE ALL ON FUNCTION agent.turn_of_ticket(text) FROM PUBLIC;
COMMENT ON COLUMN agent.turns.ticket_hash IS
    'SHA-256 of the ticket; the ticket itself is nowhere in the database. Not readable by the application role';
COMMENT ON COLUMN agent.turns.session_created_at IS
    'Which session of that id: one that was deleted and made again is another conversation';
COMMENT ON COLUMN agent.turns.model IS 'The model the server is about to run';
COMMENT ON COLUMN agent.turns.fallback_models IS
    'The models it may run instead: what is held pays for the dearest; NULL when there are none';
COMMENT ON COLUMN agent.turns.model_label IS 'The model name the client wrote: echoed, never priced';
COMMENT ON COLUMN agent.turns.input IS 'The new messages of the request, until the turn ends';
COMMENT ON COLUMN agent.turns.hold_picodollars IS 'Money held for this turn, 1e-12 USD';
COMMENT ON INDEX agent.turns_open IS 'Open holds, to count and to sweep';
COMMENT ON COLUMN agent.turns.hold_tokens IS 'Tokens held for this turn: the bounds of input and output';
COMMENT ON COLUMN agent.turns.input_token_bound IS
    'Bytes of the input: no byte-level tokenizer makes more tokens of it';
COMMENT ON COLUMN agent.turns.rate_tokens IS 'Tokens taken from the tenant''s rate, to be given back as far as not used';
COMMENT ON COLUMN agent.turns.deadline IS 'From then on the turn''s hold may be resolved without its server';
COMMENT ON COLUMN agent.turns.token_id_hash IS 'SHA-256 of the token''s jti';

CREATE TABLE agent.usage (
    tenant_id text COLLATE "C" NOT NULL DEFAULT tenancy.current_tenant(),
    usage_id text COLLATE "C" NOT NULL DEFAULT agent.new_id('use_'),
    occurred_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    admitted_at timestamptz NOT NULL,
    admitted_model text,
    turn_id text COLLATE "C" NOT NULL,
    session_id text COLLATE "C",
    trace_id text COLLATE "C",
    subject text,
    model text,
    input_tokens bigint NOT NULL DEFAULT 0,
    cached_input_tokens bigint NOT NULL DEFAULT 0,
    cache_write_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    reasoning_tokens bigint NOT NULL DEFAULT 0,
    requests integer NOT NULL DEFAULT 1,
    cost_picodollars bigint,
    price_id text COLLATE "C",
    estimated boolean NOT NULL DEFAULT false,
    late boolean NOT NULL DEFAULT false,
    overrun boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant_id, usage_id)
);
REVOKE ALL ON TABLE agent.usage FROM PUBLIC;
CREATE UNIQUE INDEX usage_turn ON agent.usage (tenant_id, turn_id) WHERE NOT late;
CREATE INDEX usage_session ON agent.usage (tenant_id, session_id, occurred_at);
CREATE INDEX usage_time ON agent.usage (tenant_id, admitted_at);
COMMENT ON TABLE agent.usage IS
    'Append-only ledger: what each turn used and cost. It outlives the session and the trace';
COMMENT ON INDEX agent.usage_turn IS 'A turn is charged once; corrections after its hold expired are marked late';
COMMENT ON INDEX agent.usage_session IS 'Usage of one session';
COMMENT ON INDEX agent.usage_time IS 'Usage of one window of time';
COMMENT ON COLUMN agent.usage.admitted_at IS
    'When the turn was admitted: the windows of budgets that this row counts in';
COMMENT ON COLUMN agent.usage.admitted_model IS
    'The model the turn was admitted for: the one whose budgets this row counts in';
COMMENT ON COLUMN agent.usage.model IS 'The model that ran, not the client''s label';
COMMENT ON COLUMN agent.usage.input_tokens IS 'All input tokens; cached and cache-writing ones are part of them';
COMMENT ON COLUMN agent.usage.output_tokens IS 'All output tokens; reasoning tokens are part of them';
COMMENT ON COLUMN agent.usage.cost_picodollars IS 'Price of this row, 1e-12 USD; NULL = not priced';
COMMENT ON COLUMN agent.usage.late IS 'Recorded after the hold of the turn had been resolved otherwise';
COMMENT ON COLUMN agent.usage.overrun IS 'More than the hold of the turn';
COMMENT ON COLUMN agent.usage.estimated IS 'The provider reported nothing; counted by the server';
