-- Files: storing under the quota, and the routes.

-- The types whose bytes are offered to a model as text when they are valid UTF-8 without NUL.
CREATE FUNCTION agent.is_text_type(mime_type text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN mime_type ~ '^text/|^application/(json|xml|yaml|x-yaml|toml|javascript|x-ndjson|sql)$|\+(json|xml|yaml)$';
COMMENT ON FUNCTION agent.is_text_type(text) IS 'Whether a file declared so is tried as text';
REVOKE ALL ON FUNCTION agent.is_text_type(text) FROM PUBLIC;

CREATE FUNCTION agent.utf8_text(content bytea) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN convert_from(content, 'UTF8');
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION agent.utf8_text(bytea) IS 'Bytes as text; NULL when they are not UTF-8 or hold a NUL';
REVOKE ALL ON FUNCTION agent.utf8_text(bytea) FROM PUBLIC;

-- Text above this size is kept as bytes only: what a model is given has to fit into its window, and in memory.
CREATE FUNCTION agent.parse_verdict(mime_type text, content bytea, OUT parse_status text, OUT parse_error text)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT agent.is_text_type(mime_type) THEN
        parse_status := 'skipped';
    ELSIF octet_length(content) > 1048576 THEN
        parse_status := 'skipped';
        parse_error := 'text of more than 1048576 bytes is not extracted';
    ELSIF agent.utf8_text(content) IS NULL THEN
        parse_status := 'failed';
        parse_error := 'not text in UTF-8 without NUL';
    ELSE
        parse_status := 'completed';
    END IF;
END
$$;
COMMENT ON FUNCTION agent.parse_verdict(text, bytea) IS 'Whether a model can be given the bytes as text, and why not';
REVOKE ALL ON FUNCTION agent.parse_verdict(text, bytea) FROM PUBLIC;

-- One UPDATE both decides and takes: it waits for the row of whoever is first and then looks again.
CREATE FUNCTION agent.take_file_quota(quota tenancy.file_quotas, tenant text, size bigint) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO agent.file_usage VALUES (tenant, 0, 0) ON CONFLICT DO NOTHING;
    UPDATE agent.file_usage AS u SET files = u.files + 1, bytes = u.bytes + size
    WHERE u.tenant_id = tenant AND (u.files < quota.max_files) IS NOT FALSE AND (u.bytes + size <= quota.max_bytes) IS NOT FALSE;
    IF FOUND THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT format('File quota exceeded: %s of %s files and %s of %s bytes are in use', u.files,
        coalesce(quota.max_files::text, 'any number of'), u.bytes, coalesce(quota.max_bytes::text, 'any number of'))
        FROM agent.file_usage AS u WHERE u.tenant_id = tenant);
END
$$;
COMMENT ON FUNCTION agent.take_file_quota(tenancy.file_quotas, text, bigint) IS
    'Internal: takes one file of that size from a tenant''s quota; NULL, or why not';
REVOKE ALL ON FUNCTION agent.take_file_quota(tenancy.file_quotas, text, bigint) FROM PUBLIC;

-- Definer: the application role cannot insert, or it could leave the quota out.
CREATE FUNCTION agent.store_file(session_id text, filename text, mime_type text, content bytea, server_limits jsonb DEFAULT '{}',
    OUT stored agent.files, OUT refusal jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    tenant CONSTANT text := tenancy.current_tenant();
    size CONSTANT bigint := octet_length(content);
    quota tenancy.file_quotas;
    largest bigint;
    excess text;
    verdict record;
BEGIN
    PERFORM tenancy.require(num_nulls(filename, mime_type, content) = 0,
        'a file has a name, a type and bytes', 'Give all three; the bytes may be none.');
    SELECT q.* INTO quota FROM tenancy.file_quotas AS q WHERE q.tenant_id IN (tenant, '*') ORDER BY q.tenant_id = '*' LIMIT 1;
    largest := least(quota.max_file_bytes, (server_limits ->> 'max_file_size_bytes')::bigint);
    refusal := CASE
        WHEN quota.tenant_id IS NULL OR quota.max_bytes = 0 THEN
            '{"status": 404, "reason": "files_disabled", "detail": "File uploads are not enabled"}'
        WHEN NOT mime_type = ANY (quota.allowed_mime_types) OR NOT server_limits -> 'allowed_mime_types' ? mime_type THEN
            jsonb_build_object('status', 415, 'reason', 'type_not_allowed',
                'detail', format('MIME type %s is not allowed', mime_type))
        WHEN size > largest THEN jsonb_build_object('status', 413, 'reason', 'file_too_large',
            'detail', format('File exceeds max_file_size_bytes (%s bytes)', largest)) END;
    IF refusal IS NOT NULL THEN
        RETURN;
    END IF;
    excess := agent.take_file_quota(quota, tenant, size);
    IF excess IS NOT NULL THEN
        refusal := jsonb_build_object('status', 413, 'reason', 'file_quota_exceeded', 'detail', excess);
        RETURN;
    END IF;
    verdict := agent.parse_verdict(mime_type, content);
    INSERT INTO agent.files (tenant_id, session_id, filename, mime_type, size_bytes, sha256, parse_status, parse_error)
    VALUES (tenant, session_id, filename, mime_type, size, encode(sha256(content), 'hex'), verdict.parse_status, verdict.parse_error)
    RETURNING * INTO stored;
    INSERT INTO agent.file_contents VALUES (tenant, stored.file_id, content);
END
$$;
COMMENT ON FUNCTION agent.store_file(text, text, text, bytea, jsonb) IS
    'Stores a file of the verified tenant and subject within the tenant''s quota and the limits of the server '
    '(max_file_size_bytes, allowed_mime_types), or nothing but the refusal: status 404, 413, 415, reason, detail';
REVOKE ALL ON FUNCTION agent.store_file(text, text, text, bytea, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.file_effect() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entry agent.audit_log;
    touched agent.files := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    IF TG_OP = 'DELETE' THEN
        UPDATE agent.file_usage AS u SET files = u.files - 1, bytes = u.bytes - touched.size_bytes
        WHERE u.tenant_id = touched.tenant_id;
    END IF;
    IF agent.is_outside_tenancy() THEN
        RETURN NULL;
    END IF;
    entry := agent.audit_entry(touched.tenant_id, CASE TG_OP WHEN 'INSERT' THEN 'file.upload' ELSE 'file.delete' END,
        'file', touched.file_id);
    entry.session_id := touched.session_id;
    PERFORM agent.append_audit(entry);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION agent.file_effect() IS 'Give back the quota of a deleted file, and audit';
REVOKE ALL ON FUNCTION agent.file_effect() FROM PUBLIC;
CREATE TRIGGER file_effect AFTER INSERT OR DELETE ON agent.files FOR EACH ROW EXECUTE FUNCTION agent.file_effect();
COMMENT ON TRIGGER file_effect ON agent.files IS 'Quota and audit';

CREATE FUNCTION agent.note_file_read(wanted text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entry agent.audit_log;
BEGIN
    entry := agent.audit_entry(tenancy.current_tenant(), 'file.read', 'file', wanted);
    SELECT f.session_id INTO entry.session_id FROM agent.files AS f WHERE f.tenant_id = entry.tenant_id AND f.file_id = wanted;
    IF FOUND THEN
        PERFORM agent.append_audit(entry);
    END IF;
END
$$;
COMMENT ON FUNCTION agent.note_file_read(text) IS 'Put on record that a file of the verified tenant was read';
REVOKE ALL ON FUNCTION agent.note_file_read(text) FROM PUBLIC;

CREATE FUNCTION agent.file_record(file agent.files, extracted_text text) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.to_jsonb(file) - 'tenant_id' || pg_catalog.jsonb_build_object('extracted_text', extracted_text,
        'chunk_status', 'skipped', 'chunk_count', 0, 'deleted_at', NULL);
END;
COMMENT ON FUNCTION agent.file_record(agent.files, text) IS 'A file as the API shows it; nothing is cut into chunks here';
REVOKE ALL ON FUNCTION agent.file_record(agent.files, text) FROM PUBLIC;

CREATE FUNCTION agent.create_file(token text, body jsonb, content bytea) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
    id_pattern CONSTANT text := agent.session_id_rule() #>> '{session_id,pattern}';
    errors jsonb;
    wanted_session CONSTANT text := nullif(body ->> 'session_id', '');
    outcome record;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    IF wanted_session !~ id_pattern THEN
        RETURN agent.refuse('file.upload', 'file', NULL, 400, 'invalid_request', to_jsonb('session_id must match ' || id_pattern));
    END IF;
    errors := coalesce(agent.invalid_fields(body, 'body',
        '{"filename": {"type": "string", "max": 255, "pattern": "^[^[:cntrl:]]+$", "required": true}}'),
        CASE WHEN content IS NULL THEN jsonb_build_array(agent.field_error('missing', '["body", "file"]', NULL, NULL)) END);
    IF errors IS NOT NULL THEN
        RETURN agent.refuse('file.upload', 'file', NULL, 422, 'invalid_request', errors);
    END IF;
    outcome := agent.store_file(wanted_session, body ->> 'filename',
        left(lower(btrim(split_part(coalesce(nullif(body ->> 'mime_type', ''), 'application/octet-stream'), ';', 1))), 255),
        content, body -> 'limits');
    IF outcome.refusal IS NOT NULL THEN
        RETURN agent.refuse('file.upload', 'file', NULL, (outcome.refusal ->> 'status')::int, outcome.refusal ->> 'reason',
            outcome.refusal -> 'detail');
    END IF;
    RETURN agent.answer(201, agent.file_record(outcome.stored, NULL) - '{user_id,extracted_text,deleted_at}'::text[]);
END
$$;
COMMENT ON FUNCTION agent.create_file(text, jsonb, bytea) IS
    'POST /v1/files: {filename, mime_type?, session_id?, limits? of the server} and the bytes. 201 the file; 400; 404 when '
    'uploads are not enabled; 413 too large or over the quota; 415; 422';
REVOKE ALL ON FUNCTION agent.create_file(text, jsonb, bytea) FROM PUBLIC;

-- Without the texts: a thousand of them are more than an answer can hold.
CREATE FUNCTION agent.list_files(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
    id_pattern CONSTANT text := agent.session_id_rule() #>> '{session_id,pattern}';
    errors jsonb;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    errors := agent.invalid_fields(body, 'query',
        '{"session_id": {"type": "string", "required": true},
          "limit": {"type": "integer", "min": 1}, "offset": {"type": "integer", "min": 0}}');
    IF errors IS NOT NULL THEN
        RETURN agent.refuse('file.list', 'file', NULL, 422, 'invalid_request', errors);
    ELSIF body ->> 'session_id' !~ id_pattern THEN
        RETURN agent.refuse('file.list', 'file', NULL, 400, 'invalid_request', to_jsonb('session_id must match ' || id_pattern));
    END IF;
    RETURN agent.answer(200, (
        SELECT coalesce(jsonb_agg(agent.file_record(f, NULL) ORDER BY f.created_at DESC, f.file_id DESC), '[]')
        FROM (
            SELECT * FROM agent.files AS x WHERE x.session_id = body ->> 'session_id'
            ORDER BY x.created_at DESC, x.file_id DESC
            LIMIT least(coalesce((body ->> 'limit')::bigint, 50), 1000)
            OFFSET coalesce((body ->> 'offset')::bigint, 0)
        ) AS f));
END
$$;
COMMENT ON FUNCTION agent.list_files(text, jsonb) IS
    'GET /v1/files: {session_id, limit? 50, at most 1000; offset?}. 200 array, newest first, without texts; 400; 422';
REVOKE ALL ON FUNCTION agent.list_files(text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.get_file(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
    wanted CONSTANT text := body ->> 'file_id';
    record jsonb;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    SELECT agent.file_record(f, CASE f.parse_status WHEN 'completed' THEN agent.utf8_text(c.content) END) INTO record
    FROM agent.files AS f JOIN agent.file_contents AS c USING (tenant_id, file_id) WHERE f.file_id = wanted;
    IF NOT FOUND THEN
        RETURN agent.not_found('file.read', 'file', wanted);
    END IF;
    PERFORM agent.note_file_read(wanted);
    RETURN agent.answer(200, record);
END
$$;
COMMENT ON FUNCTION agent.get_file(text, jsonb) IS 'GET /v1/files/{file_id}. 200 the record with its text; 404';
REVOKE ALL ON FUNCTION agent.get_file(text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.delete_file(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted CONSTANT text := body ->> 'file_id';
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    DELETE FROM agent.files AS f WHERE f.file_id = wanted;
    IF NOT FOUND THEN
        RETURN agent.not_found('file.delete', 'file', wanted);
    END IF;
    RETURN agent.answer(200, jsonb_build_object('deleted', true, 'file_id', wanted));
END
$$;
COMMENT ON FUNCTION agent.delete_file(text, jsonb) IS 'DELETE /v1/files/{file_id} with its bytes. 200; 404';
REVOKE ALL ON FUNCTION agent.delete_file(text, jsonb) FROM PUBLIC;
