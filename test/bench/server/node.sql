-- node.sql: the tables of the Node server, with the usual policy: the tenant is what a setting says.
CREATE TABLE sessions (tenant text NOT NULL DEFAULT current_setting('app.tenant'), id text, PRIMARY KEY (tenant, id));
CREATE TABLE messages (tenant text NOT NULL DEFAULT current_setting('app.tenant'), id bigint GENERATED ALWAYS AS IDENTITY,
    session_id text, message jsonb NOT NULL, PRIMARY KEY (tenant, id));
CREATE INDEX ON messages (tenant, session_id, id);
CREATE TABLE usage (tenant text NOT NULL DEFAULT current_setting('app.tenant'), id bigint GENERATED ALWAYS AS IDENTITY,
    model text, input_tokens bigint, output_tokens bigint, at timestamptz DEFAULT now(), PRIMARY KEY (tenant, id));
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sessions USING (tenant = current_setting('app.tenant'));
CREATE POLICY tenant ON messages USING (tenant = current_setting('app.tenant'));
CREATE POLICY tenant ON usage USING (tenant = current_setting('app.tenant'));
GRANT SELECT, INSERT ON sessions, messages, usage TO bench_app;
INSERT INTO sessions VALUES ('tenant-1', 's1');
INSERT INTO messages (tenant, session_id, message)
SELECT 'tenant-1', 's1', jsonb_build_object('role', r, 'content', repeat('word ', 20))
FROM generate_series(1, 5), unnest('{user,assistant}'::text[]) r;
