-- Files: what is known of each, its bytes, and how much of its quota each tenant has used. The application role
-- deletes files; it stores them by agent.store_file() only.

CREATE TABLE agent.files (
    tenant_id text COLLATE "C" NOT NULL DEFAULT tenancy.current_tenant(),
    file_id text COLLATE "C" NOT NULL
        DEFAULT pg_catalog.concat('file_', pg_catalog.right(pg_catalog.gen_random_uuid()::text, 12),
            pg_catalog.right(pg_catalog.gen_random_uuid()::text, 12)),
    session_id text COLLATE "C" CHECK (session_id ~ '^[A-Za-z0-9_-]{1,128}$'),
    user_id text NOT NULL DEFAULT COALESCE(tenancy.current_subject(), 'anonymous'),
    filename text NOT NULL CHECK (pg_catalog.char_length(filename) BETWEEN 1 AND 255),
    mime_type text NOT NULL CHECK (pg_catalog.char_length(mime_type) <= 255),
    size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
    sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    parse_status text NOT NULL CHECK (parse_status IN ('completed', 'failed', 'skipped')),
    parse_error text,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    PRIMARY KEY (tenant_id, file_id)
);
REVOKE ALL ON TABLE agent.files FROM PUBLIC;
CREATE INDEX files_session ON agent.files (tenant_id, session_id, created_at DESC, file_id DESC);
COMMENT ON TABLE agent.files IS 'Uploaded files. A session''s end does not end its files';
COMMENT ON INDEX agent.files_session IS 'Files of one session, newest first';
COMMENT ON COLUMN agent.files.user_id IS 'Who uploaded it: the subject of the token';
COMMENT ON COLUMN agent.files.mime_type IS 'As declared, in lower case, without parameters; nothing is believed because of it';
COMMENT ON COLUMN agent.files.parse_status IS
    'completed: the bytes are text that a model can be given; failed: declared as text, and none; skipped: neither';

CREATE TABLE agent.file_contents (
    tenant_id text COLLATE "C" NOT NULL DEFAULT tenancy.current_tenant(),
    file_id text COLLATE "C" NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (tenant_id, file_id),
    FOREIGN KEY (tenant_id, file_id) REFERENCES agent.files (tenant_id, file_id) ON DELETE CASCADE
);
-- Files are mostly compressed already; trying again costs time at every upload and saves nothing.
ALTER TABLE agent.file_contents ALTER COLUMN content SET STORAGE EXTERNAL;
REVOKE ALL ON TABLE agent.file_contents FROM PUBLIC;
COMMENT ON TABLE agent.file_contents IS 'The bytes of a file, apart from its record so that lists do not carry them';

CREATE TABLE agent.file_usage (
    tenant_id text COLLATE "C" NOT NULL DEFAULT tenancy.current_tenant(),
    files bigint NOT NULL CHECK (files >= 0),
    bytes bigint NOT NULL CHECK (bytes >= 0),
    PRIMARY KEY (tenant_id)
);
REVOKE ALL ON TABLE agent.file_usage FROM PUBLIC;
COMMENT ON TABLE agent.file_usage IS
    'What a tenant stores; one row, whose lock makes the quota exact. The application role cannot see it';
