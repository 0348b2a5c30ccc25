-- Files: stored under a quota that an administrator sets, read and deleted by route, given to the model by
-- file_ids and file_id: URLs, and of another tenant like of nobody.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
TRUNCATE agent.sessions, agent.messages, agent.turns, agent.usage, agent.traces, agent.spans,
    agent.files, agent.file_contents, agent.file_usage;
TRUNCATE tenancy.file_quotas, tenancy.budgets, tenancy.prices;

-- without a quota nobody uploads, and a quota of no bytes is the same
\c - regress_app
SELECT status, body FROM agent.create_file(:'token_acme_alice', '{"filename": "a.txt", "mime_type": "text/plain"}', 'hello');
\c - :admin
SELECT tenancy.set_file_quota('acme', 0);
\c - regress_app
SELECT status, body FROM agent.create_file(:'token_acme_alice', '{"filename": "a.txt", "mime_type": "text/plain"}', 'hello');

-- bad quotas; nobody but an administrator sets one
SELECT tenancy.set_file_quota(NULL, 1000000);
\c - :admin
SELECT tenancy.set_file_quota('nobody', 1);
SELECT tenancy.set_file_quota('acme', max_files => -1);
SELECT tenancy.set_file_quota('acme', allowed_mime_types => '{Text/Plain}');
SELECT tenancy.set_file_quota(NULL, 1000, 4, 600, '{text/plain,text/html,image/png,application/json}');
SELECT tenancy.set_file_quota('acme', 1000, 3, 600, '{text/plain,text/html,image/png,application/json}');

-- the record: types in lower case without parameters, SHA-256 of the bytes, the subject as the owner
\c - regress_app
SELECT status, body - 'created_at' - 'file_id' AS created, body ->> 'file_id' ~ '^file_[0-9a-f]{24}$' AS id_ok, body ->> 'file_id' AS note
FROM agent.create_file(:'token_acme_alice', '{"filename": "notes.txt", "mime_type": "Text/Plain; charset=utf-8", "session_id": "s1"}', '\x68c3a96c6c6f') \gset
\echo :status :created :id_ok
SELECT status, body - 'created_at' - 'file_id' AS record FROM agent.get_file(:'token_acme_bob', jsonb_build_object('file_id', :'note'));
SELECT body ->> 'file_id' AS image FROM agent.create_file(:'token_acme_bob', '{"filename": "i.png", "mime_type": "image/png", "session_id": "s1"}', '\x89504e47ff') \gset
SELECT f.value ->> 'filename' AS filename, f.value ->> 'user_id' AS user_id, f.value ->> 'extracted_text' AS text, f.value ->> 'parse_status' AS parsed
FROM agent.list_files(:'token_acme_alice', '{"session_id": "s1"}') l, jsonb_array_elements(l.body) f;
SELECT jsonb_array_length(body) FROM agent.list_files(:'token_acme_alice', '{"session_id": "s1", "limit": "1", "offset": "1"}');

-- what is wrong with a request
SELECT status, body FROM agent.create_file(:'token_acme_alice', '{"filename": "a", "session_id": "no/id"}', 'x');
SELECT status, body FROM agent.create_file(:'token_acme_alice', '{"mime_type": "text/plain"}', 'x');
SELECT status, body FROM agent.create_file(:'token_acme_alice', '{"filename": "a\nb"}', 'x');
SELECT status, body FROM agent.create_file(:'token_acme_alice', '{"filename": "a"}', NULL);
SELECT status, body FROM agent.create_file(:'token_acme_alice', '{"filename": "a", "mime_type": "application/x-sh"}', 'x');
SELECT status, body FROM agent.create_file(:'token_acme_alice', '{"filename": "a"}', 'x');
SELECT status, body FROM agent.create_file(:'token_acme_alice', '{"filename": "a", "mime_type": "text/plain"}', convert_to(repeat('x', 601), 'UTF8'));
SELECT status, body FROM agent.create_file(:'token_acme_alice', '{"filename": "a", "mime_type": "text/html", "limits": {"allowed_mime_types": ["text/plain"]}}', 'x');
SELECT status, body FROM agent.create_file(:'token_acme_alice', '{"filename": "a", "mime_type": "text/plain", "limits": {"max_file_size_bytes": 3}}', 'four');
SELECT status, body FROM agent.list_files(:'token_acme_alice', '{}');
SELECT status, body FROM agent.list_files(:'token_acme_alice', '{"session_id": "no/id"}');
SELECT status, body FROM agent.list_files(:'token_acme_alice', '{"session_id": "s1", "limit": "-1"}');
SELECT status, body FROM agent.get_file(:'token_acme_alice', '{"file_id": "file_none"}');
SELECT status, body FROM agent.delete_file(:'token_acme_alice', '{"file_id": "file_none"}');

-- the quota: in bytes, in files, given back by a delete, counted again by nothing else
SELECT status FROM agent.create_file(:'token_acme_alice', '{"filename": "a", "mime_type": "text/plain"}', convert_to(repeat('x', 600), 'UTF8'));
SELECT status, body FROM agent.create_file(:'token_acme_alice', '{"filename": "a", "mime_type": "text/plain"}', 'x');
SELECT status, body ->> 'deleted' AS deleted, body ->> 'file_id' = :'image' AS same FROM agent.delete_file(:'token_acme_alice', jsonb_build_object('file_id', :'image'));
SELECT status, body FROM agent.create_file(:'token_acme_alice', '{"filename": "a", "mime_type": "text/plain"}', convert_to(repeat('x', 395), 'UTF8'));
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
DELETE FROM agent.files WHERE size_bytes = 600;
COMMIT;
\c - :admin
SELECT u.tenant_id, u.files = f.files AS files_ok, u.bytes = f.bytes AS bytes_ok, u.files, u.bytes FROM agent.file_usage u
JOIN (SELECT tenant_id, count(*) AS files, sum(octet_length(content)) AS bytes FROM agent.file_contents GROUP BY 1) f USING (tenant_id);

-- declared as text and none: kept, never given to a model
\c - regress_app
SELECT status, body ->> 'parse_status' AS parsed, body ->> 'parse_error' AS why, body ->> 'file_id' AS binary FROM agent.create_file(:'token_acme_alice', '{"filename": "b", "mime_type": "text/plain"}', '\xff00') \gset
\echo :status :parsed :why
SELECT status, body ->> 'parse_status' AS parsed, body ->> 'file_id' AS nul FROM agent.create_file(:'token_acme_alice', '{"filename": "c", "mime_type": "application/json"}', '\x6100') \gset
\echo :status :parsed
SELECT status, body ->> 'extracted_text' AS text FROM agent.get_file(:'token_acme_alice', jsonb_build_object('file_id', :'nul'));
SELECT status FROM agent.delete_file(:'token_acme_alice', jsonb_build_object('file_id', :'nul'));

-- in a chat: the texts come before the last message, in the order asked for, and are part of the session
\c - :admin
SELECT tenancy.set_file_quota('acme');
\c - regress_app
SELECT body ->> 'file_id' AS second FROM agent.create_file(:'token_acme_alice', '{"filename": "2.html", "mime_type": "text/html"}', '<p>two</p>') \gset
SELECT body ->> 'file_id' AS image FROM agent.create_file(:'token_acme_bob', '{"filename": "i.png", "mime_type": "image/png"}', decode(repeat('89504e47', 30), 'hex')) \gset
SELECT body ->> 'ticket' AS ticket, body -> 'messages' AS messages FROM agent.begin_turn(:'token_acme_alice', jsonb_build_object('session_id', 'talk', 'file_ids', jsonb_build_array(:'second', :'note'),
    'messages', '[{"role": "user", "content": "first"}, {"role": "user", "content": "last"}]'::jsonb)) \gset
SELECT m ->> 'role' AS role, m ->> 'content' AS content FROM jsonb_array_elements(:'messages'::jsonb) m;
SELECT status FROM agent.end_turn(:'ticket', '{"status": "ok", "message": {"role": "assistant", "content": "yes"}}');
SELECT jsonb_array_length(body -> 'messages') AS stored FROM agent.get_session(:'token_acme_alice', '{"session_id": "talk"}');

-- an image is put in place for the model, is counted in what is held, and only its id is stored
SELECT body ->> 'ticket' AS ticket, body ->> 'turn_id' AS turn, body -> 'messages' -> -1 AS shown FROM agent.begin_turn(:'token_acme_alice', jsonb_build_object('session_id', 'see', 'messages', jsonb_build_array(
    jsonb_build_object('role', 'user', 'content', jsonb_build_array(jsonb_build_object('type', 'text', 'text', 'look'), jsonb_build_object('type', 'image_url', 'image_url', jsonb_build_object('url', 'file_id:' || :'image', 'detail', 'low'))))))) \gset
SELECT left(:'shown'::jsonb #>> '{content,1,image_url,url}', 40) AS url, length(:'shown'::jsonb #>> '{content,1,image_url,url}') AS length, :'shown'::jsonb #>> '{content,1,image_url,detail}' AS detail;
\c - :admin
SELECT input #>> '{0,content,1,image_url,url}' = 'file_id:' || :'image' AS stored_as_id,
    input_token_bound >= octet_length(:'shown'::jsonb::text) AS counted FROM agent.turns WHERE turn_id = :'turn';
\c - regress_app
SELECT status FROM agent.end_turn(:'ticket', '{"status": "ok", "message": {"role": "assistant", "content": "nice"}}');

-- of a history whose image is gone the model is told so
SELECT status FROM agent.delete_file(:'token_acme_alice', jsonb_build_object('file_id', :'image'));
SELECT replace(body #>> '{messages,0,content,1}', :'image', '<id>') AS part FROM agent.begin_turn(:'token_acme_alice', '{"session_id": "see", "messages": [{"role": "user", "content": "again"}]}');

-- refused: unknown, of another tenant, no text, no image, no list
SELECT status, replace(body::text, :'note', '<note>') FROM agent.begin_turn(:'token_globex_carol', jsonb_build_object('file_ids', jsonb_build_array(:'note'), 'messages', '[{"role": "user", "content": "x"}]'::jsonb));
SELECT status, body FROM agent.begin_turn(:'token_acme_alice', '{"file_ids": ["file_none"], "messages": [{"role": "user", "content": "x"}]}');
SELECT status, body FROM agent.begin_turn(:'token_acme_alice', '{"file_ids": [5], "messages": [{"role": "user", "content": "x"}]}');
SELECT status, body ->> 'detail' FROM agent.begin_turn(:'token_acme_alice', '{"file_ids": "x", "messages": [{"role": "user", "content": "x"}]}');
SELECT status, replace(body ->> 'detail', :'binary', '<id>') FROM agent.begin_turn(:'token_acme_alice', jsonb_build_object('file_ids', jsonb_build_array(:'binary'), 'messages', '[{"role": "user", "content": "x"}]'::jsonb));
SELECT status, replace(body ->> 'detail', :'note', '<id>') FROM agent.begin_turn(:'token_acme_alice', jsonb_build_object('messages', jsonb_build_array(
    jsonb_build_object('role', 'user', 'content', jsonb_build_array(jsonb_build_object('type', 'image_url', 'image_url', jsonb_build_object('url', 'file_id:' || :'note')))))));
SELECT status, replace(body ->> 'detail', :'note', '<id>') FROM agent.begin_turn(:'token_globex_carol', jsonb_build_object('messages', jsonb_build_array(
    jsonb_build_object('role', 'user', 'content', jsonb_build_array(jsonb_build_object('type', 'image_url', 'image_url', jsonb_build_object('url', 'file_id:' || :'note')))))));

-- another tenant's file is nobody's: read, list, delete, by route and by plain SQL
SELECT status, replace(body ->> 'detail', :'note', '<id>') FROM agent.get_file(:'token_globex_carol', jsonb_build_object('file_id', :'note'));
SELECT status, replace(body ->> 'detail', :'note', '<id>') FROM agent.delete_file(:'token_globex_carol', jsonb_build_object('file_id', :'note'));
SELECT body FROM agent.list_files(:'token_globex_carol', '{"session_id": "s1"}');
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_globex_carol');
SELECT count(*) FROM agent.files;
SELECT count(*) FROM agent.file_contents;
DELETE FROM agent.files;
SELECT agent.note_file_read(:'note');
SELECT count(*) FROM agent.audit_log WHERE action = 'file.read' AND outcome = 'allow';
COMMIT;

-- plain SQL cannot leave the quota out, nor change what is on record
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SAVEPOINT here;
INSERT INTO agent.files (filename, mime_type, size_bytes, sha256, parse_status) VALUES ('a', 'a/b', 0, repeat('0', 64), 'skipped');
ROLLBACK TO here;
INSERT INTO agent.file_contents (file_id, content) VALUES (:'note', 'x');
ROLLBACK TO here;
UPDATE agent.files SET user_id = 'bob';
ROLLBACK TO here;
UPDATE agent.file_contents SET content = 'x';
ROLLBACK TO here;
DELETE FROM agent.file_contents;
ROLLBACK TO here;
UPDATE agent.file_usage SET bytes = 0;
ROLLBACK TO here;
SELECT * FROM agent.file_usage;
ROLLBACK TO here;
SELECT * FROM tenancy.file_quotas;
ROLLBACK;

-- an image costs several times its size on the way to the model: 8 MiB of files a request
SELECT body ->> 'file_id' AS large FROM agent.create_file(:'token_acme_bob', '{"filename": "l.png", "mime_type": "image/png"}', decode(repeat('89504e47', 1100000), 'hex')) \gset
SELECT body ->> 'file_id' AS other FROM agent.create_file(:'token_acme_bob', '{"filename": "o.png", "mime_type": "image/png"}', decode(repeat('89504e47', 1100000), 'hex')) \gset
SELECT status, body ->> 'detail' AS detail FROM agent.begin_turn(:'token_acme_bob', jsonb_build_object('messages', jsonb_build_array(jsonb_build_object('role', 'user', 'content',
    (SELECT jsonb_agg(jsonb_build_object('type', 'image_url', 'image_url', jsonb_build_object('url', 'file_id:' || id))) FROM (VALUES (:'large'), (:'other')) i (id))))));
SELECT status FROM agent.delete_file(:'token_acme_bob', jsonb_build_object('file_id', :'large'));
SELECT status FROM agent.delete_file(:'token_acme_bob', jsonb_build_object('file_id', :'other'));

-- on record
\c - :admin
SELECT action, actor, outcome, status, reason, count(*) FROM agent.audit_log WHERE action LIKE 'file.%' GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5;
SELECT rule, severity, object FROM tenancy.check_isolation() WHERE object ~ 'file|work_item';
TRUNCATE tenancy.file_quotas;
