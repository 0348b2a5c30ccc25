-- Sessions and their messages. A message's seq is its index in the conversation: 0, 1, 2 ... without gaps.
-- The application role writes sessions only; messages follow from end_turn and from the triggers of piece 57.

CREATE TABLE agent.sessions (
    tenant_id text COLLATE "C" NOT NULL DEFAULT tenancy.current_tenant(),
    session_id text COLLATE "C" NOT NULL DEFAULT agent.new_id('sess_')
        CHECK (session_id ~ '^[A-Za-z0-9_-]{1,128}$'),
    created_by text DEFAULT tenancy.current_subject(),
    created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    next_seq bigint NOT NULL DEFAULT 0,
    parent_session_id text COLLATE "C",
    forked_at_index bigint,
    reverted_to bigint,
    cost_data jsonb NOT NULL DEFAULT '{}' CHECK (
        pg_catalog.jsonb_typeof(cost_data) = 'object' AND pg_catalog.octet_length(cost_data::text) <= 16384),
    CHECK (least(next_seq, forked_at_index, reverted_to) >= 0),
    PRIMARY KEY (tenant_id, session_id)
) WITH (fillfactor = 85);
REVOKE ALL ON TABLE agent.sessions FROM PUBLIC;
COMMENT ON TABLE agent.sessions IS
    'One conversation. Inserting a row with parent_session_id forks; updating reverted_to reverts';
COMMENT ON COLUMN agent.sessions.next_seq IS
    'Number of messages = seq of the next one. Changed only under this row''s lock, never by the application role';
COMMENT ON COLUMN agent.sessions.parent_session_id IS
    'The session this one was forked from; a remark, not a reference: the parent may be deleted';
COMMENT ON COLUMN agent.sessions.forked_at_index IS
    'How many of the parent''s messages were copied; NULL on insert means all of them';
COMMENT ON COLUMN agent.sessions.reverted_to IS
    'Number of messages the last revert kept. Updating it removes the messages from this index on';

COMMENT ON COLUMN agent.sessions.cost_data IS
    'Labels that a client keeps with its session. Nothing is priced, counted or limited by them: that is agent.usage';

CREATE TABLE agent.messages (
    tenant_id text COLLATE "C" NOT NULL DEFAULT tenancy.current_tenant(),
    session_id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL CHECK (seq >= 0),
    turn_id text COLLATE "C",
    created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    message jsonb NOT NULL CHECK (pg_catalog.jsonb_typeof(message) = 'object'),
    PRIMARY KEY (tenant_id, session_id, seq),
    FOREIGN KEY (tenant_id, session_id)
        REFERENCES agent.sessions (tenant_id, session_id) ON DELETE CASCADE
);
REVOKE ALL ON TABLE agent.messages FROM PUBLIC;
COMMENT ON TABLE agent.messages IS 'The messages of a session as the client or the model sent them';
COMMENT ON COLUMN agent.messages.seq IS 'Index in the conversation, from 0, consecutive';
COMMENT ON COLUMN agent.messages.turn_id IS 'The turn that brought this message; a fork copies it';
