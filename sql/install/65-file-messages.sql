-- Files in a chat request: the texts of file_ids as system messages before the last message, and image URLs of
-- the form file_id:<id> as data URIs. All of it runs as the caller, so there are only the tenant's own files.

CREATE FUNCTION agent.image_ids(messages jsonb) RETURNS SETOF text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT pg_catalog.substr(url #>> '{}', 9)
    FROM pg_catalog.jsonb_path_query(messages, '$[*].content[*].image_url.url ? (@ starts with "file_id:")') AS url;
END;
COMMENT ON FUNCTION agent.image_ids(jsonb) IS 'The files that messages show as images, one row for each time';
REVOKE ALL ON FUNCTION agent.image_ids(jsonb) FROM PUBLIC;

-- The bound keeps one request's share of memory small; what a model takes is far less.
CREATE FUNCTION agent.file_objection(file_ids jsonb, messages jsonb, history jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted record;
    total bigint := 0;
BEGIN
    FOR wanted IN
        SELECT i.*, f.parse_status, f.mime_type, f.size_bytes
        FROM (SELECT e #>> '{}' AS id, 'text' AS kind FROM jsonb_array_elements(file_ids) AS e
              UNION ALL SELECT id, 'image' FROM agent.image_ids(messages) AS id
              UNION ALL SELECT id, 'old' FROM agent.image_ids(history) AS id) AS i
        LEFT JOIN agent.files AS f ON f.file_id = i.id
    LOOP
        total := total + coalesce(wanted.size_bytes, 0);
        IF total > 8388608 THEN
            RETURN 'the files of one request are larger than 8388608 bytes';
        ELSIF wanted.size_bytes IS NULL AND wanted.kind <> 'old' THEN
            RETURN format('file_id %s not found', wanted.id);
        ELSIF wanted.kind = 'image' AND wanted.mime_type !~ '^image/' THEN
            RETURN format('file_id %s is not an image', wanted.id);
        ELSIF wanted.kind = 'text' AND wanted.parse_status <> 'completed' THEN
            RETURN format('file_id %s has no text', wanted.id);
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION agent.file_objection(jsonb, jsonb, jsonb) IS
    'Why a chat request cannot have the files that it names, by file_ids or as images; NULL when it can. Images of the '
    'history may be gone';
REVOKE ALL ON FUNCTION agent.file_objection(jsonb, jsonb, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.with_file_texts(messages jsonb, file_ids jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    texts jsonb;
BEGIN
    SELECT jsonb_agg(jsonb_build_object('role', 'system', 'content',
        format(E'File "%s" (%s):\n\n%s', f.filename, f.mime_type, agent.utf8_text(c.content))) ORDER BY i.n)
    INTO texts
    FROM jsonb_array_elements_text(file_ids) WITH ORDINALITY AS i(id, n)
    JOIN agent.files AS f ON f.file_id = i.id JOIN agent.file_contents AS c USING (tenant_id, file_id);
    PERFORM agent.note_file_read(id) FROM jsonb_array_elements_text(file_ids) AS id;
    RETURN (messages - -1) || coalesce(texts, '[]') || (messages -> -1);
END
$$;
COMMENT ON FUNCTION agent.with_file_texts(jsonb, jsonb) IS
    'Messages with the texts of files as system messages before the last one, in the order of file_ids';
REVOKE ALL ON FUNCTION agent.with_file_texts(jsonb, jsonb) FROM PUBLIC;

-- What is stored with a session is the short URL: an image that is deleted is gone from every later turn.
CREATE FUNCTION agent.image_part(part jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted CONSTANT text := substring(part #>> '{image_url,url}' FROM '^file_id:(.*)$');
BEGIN
    IF wanted IS NULL THEN
        RETURN part;
    END IF;
    RETURN coalesce((
        SELECT jsonb_set(part, '{image_url,url}', to_jsonb(
            concat('data:', f.mime_type, ';base64,', translate(encode(c.content, 'base64'), E'\n', ''))))
        FROM agent.files AS f JOIN agent.file_contents AS c USING (tenant_id, file_id)
        WHERE f.file_id = wanted AND f.mime_type ~ '^image/'),
        jsonb_build_object('type', 'text', 'text', format('[image %s is not stored any more]', wanted)));
END
$$;
COMMENT ON FUNCTION agent.image_part(jsonb) IS 'A part of a message with its file_id: URL as a data URI; any other as it is';
REVOKE ALL ON FUNCTION agent.image_part(jsonb) FROM PUBLIC;

CREATE FUNCTION agent.with_images(messages jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM agent.note_file_read(i.id) FROM (SELECT DISTINCT id FROM agent.image_ids(messages) AS id) AS i;
    RETURN (
        SELECT jsonb_agg(CASE jsonb_typeof(m.message -> 'content') WHEN 'array' THEN jsonb_set(m.message, '{content}', (
            SELECT coalesce(jsonb_agg(agent.image_part(p.part) ORDER BY p.n), '[]')
            FROM jsonb_array_elements(m.message -> 'content') WITH ORDINALITY AS p(part, n)))
            ELSE m.message END ORDER BY m.n)
        FROM jsonb_array_elements(messages) WITH ORDINALITY AS m(message, n));
END
$$;
COMMENT ON FUNCTION agent.with_images(jsonb) IS 'Messages as the model gets them, with images of file_id: URLs in place';
REVOKE ALL ON FUNCTION agent.with_images(jsonb) FROM PUBLIC;

CREATE FUNCTION agent.image_bound(messages jsonb, shown jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN jsonb_build_object('images', repeat('x', greatest(octet_length(shown::text) - octet_length(messages::text), 0)));
END
$$;
COMMENT ON FUNCTION agent.image_bound(jsonb, jsonb) IS
    'A member as long as the images that were put in place, so that the bound of the input counts them';
REVOKE ALL ON FUNCTION agent.image_bound(jsonb, jsonb) FROM PUBLIC;
