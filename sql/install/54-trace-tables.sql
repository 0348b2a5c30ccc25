-- Traces with their spans, and feedback. Traces are written by begin_turn and end_turn, and by record_trace.

CREATE TABLE agent.traces (
    tenant_id text COLLATE "C" NOT NULL DEFAULT tenancy.current_tenant(),
    trace_id text COLLATE "C" NOT NULL,
    started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    ended_at timestamptz,
    model text,
    session_id text COLLATE "C",
    status text NOT NULL DEFAULT 'open',
    traceparent text,
    recorded_by text,
    recorded_issuer text COLLATE "C",
    span_count integer NOT NULL DEFAULT 0,
    tool_calls integer NOT NULL DEFAULT 0,
    prompt_tokens bigint NOT NULL DEFAULT 0,
    completion_tokens bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, trace_id)
) WITH (fillfactor = 85);
REVOKE ALL ON TABLE agent.traces FROM PUBLIC;
CREATE INDEX traces_started ON agent.traces (tenant_id, started_at DESC, trace_id DESC);
COMMENT ON TABLE agent.traces IS 'One row per turn, claimed by begin_turn, completed by end_turn; and those that clients recorded themselves';
COMMENT ON INDEX agent.traces_started IS 'Newest first';
COMMENT ON COLUMN agent.traces.traceparent IS
    'The W3C header of the request. Its trace id is trace_id unless the tenant already had that one';
COMMENT ON COLUMN agent.traces.recorded_issuer IS 'Issuer of that subject: the same name from another issuer is somebody else';
COMMENT ON COLUMN agent.traces.recorded_by IS
    'Subject of the token that sent this trace, empty when it had none; NULL: the trace of a turn, which no client can change';

CREATE TABLE agent.spans (
    tenant_id text COLLATE "C" NOT NULL DEFAULT tenancy.current_tenant(),
    trace_id text COLLATE "C" NOT NULL,
    span_id text COLLATE "C" NOT NULL DEFAULT agent.new_id('span_'),
    parent_span_id text COLLATE "C",
    name text NOT NULL,
    start_time timestamptz NOT NULL,
    end_time timestamptz,
    status text NOT NULL,
    attributes jsonb NOT NULL DEFAULT '{}',
    events jsonb NOT NULL DEFAULT '[]',
    PRIMARY KEY (tenant_id, trace_id, span_id),
    FOREIGN KEY (tenant_id, trace_id)
        REFERENCES agent.traces (tenant_id, trace_id) ON DELETE CASCADE
);
REVOKE ALL ON TABLE agent.spans FROM PUBLIC;
COMMENT ON TABLE agent.spans IS 'Parts of a trace: "request" and below it "model_call"';

CREATE TABLE agent.feedback (
    tenant_id text COLLATE "C" NOT NULL DEFAULT tenancy.current_tenant(),
    feedback_id text COLLATE "C" NOT NULL DEFAULT agent.new_id('fb_'),
    trace_id text COLLATE "C" NOT NULL DEFAULT agent.new_id('trace_')
        CHECK (pg_catalog.char_length(trace_id) <= 128),
    session_id text COLLATE "C" CHECK (session_id ~ '^[A-Za-z0-9_-]{1,128}$'),
    rating integer NOT NULL CHECK (rating IN (1, -1)),
    comment text CHECK (pg_catalog.char_length(comment) <= 10000),
    correction text CHECK (pg_catalog.char_length(correction) <= 10000),
    model_id text CHECK (pg_catalog.char_length(model_id) <= 256),
    latency_ms double precision CHECK (latency_ms >= 0),
    turn_index integer CHECK (turn_index >= 0),
    agent_type text CHECK (pg_catalog.char_length(agent_type) <= 256),
    created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    user_id text NOT NULL DEFAULT COALESCE(tenancy.current_subject(), 'anonymous'),
    PRIMARY KEY (tenant_id, feedback_id)
);
REVOKE ALL ON TABLE agent.feedback FROM PUBLIC;
CREATE INDEX feedback_created ON agent.feedback (tenant_id, created_at DESC, feedback_id DESC);
CREATE INDEX feedback_trace ON agent.feedback (tenant_id, trace_id);
CREATE INDEX feedback_session ON agent.feedback (tenant_id, session_id);
CREATE INDEX feedback_user ON agent.feedback (tenant_id, user_id);
COMMENT ON TABLE agent.feedback IS 'Ratings of answers. It outlives the session and the trace';
COMMENT ON INDEX agent.feedback_created IS 'Newest first, and statistics over time';
COMMENT ON INDEX agent.feedback_trace IS 'Feedback on one trace';
COMMENT ON INDEX agent.feedback_session IS 'Feedback on one session';
COMMENT ON INDEX agent.feedback_user IS 'Feedback of one author';
COMMENT ON COLUMN agent.feedback.user_id IS
    'Author: the subject of the token that wrote the row. The application role cannot choose it';
