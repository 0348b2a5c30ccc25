-- Routes of work items. Their refusals are {"error": text}, as the reference has it.

CREATE FUNCTION agent.work_item_record(item agent.work_items) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.jsonb_build_object('id', item.id, 'title', item.title, 'description', item.description,
            'status', item.status, 'priority', item.priority, 'assignee', item.assignee, 'parent_id', item.parent_id,
            'created_at', item.created_at, 'updated_at', item.updated_at)
        || COALESCE((SELECT pg_catalog.jsonb_object_agg(o.key, o.value) FROM pg_catalog.jsonb_each(pg_catalog.to_jsonb(item)) AS o
            WHERE o.key IN ('required_capabilities', 'max_tokens', 'max_cost_usd', 'max_duration_seconds', 'depends_on',
                'acceptance_criteria', 'created_by', 'handoff_note', 'result')
              AND o.value NOT IN ('null', '[]', '""')), '{}');
END;
COMMENT ON FUNCTION agent.work_item_record(agent.work_items) IS
    'A work item as the API shows it: nine members always, the others when they are set';
REVOKE ALL ON FUNCTION agent.work_item_record(agent.work_items) FROM PUBLIC;

CREATE FUNCTION agent.refuse_work_item(verb text, item_id text, status integer, reason text, message text) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM agent.record_refusal('work_item.' || verb, 'work_item', item_id, status, reason);
    RETURN agent.answer(status, jsonb_build_object('error', message));
END
$$;
COMMENT ON FUNCTION agent.refuse_work_item(text, text, integer, text, text) IS 'Refuse with {"error"} and put it on record';
REVOKE ALL ON FUNCTION agent.refuse_work_item(text, text, integer, text, text) FROM PUBLIC;

CREATE FUNCTION agent.work_item_defect(body jsonb, required text, rules jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    first jsonb;
BEGIN
    IF jsonb_typeof(body) IS DISTINCT FROM 'object' THEN
        RETURN 'the body must be a JSON object';
    ELSIF coalesce(body ->> required, '') = '' AND required <> '' THEN
        RETURN required || ' is required';
    END IF;
    first := agent.invalid_fields(body, 'body', rules) -> 0;
    RETURN concat_ws(': ', first #>> '{loc,1}', first ->> 'msg');
END
$$;
COMMENT ON FUNCTION agent.work_item_defect(jsonb, text, jsonb) IS
    'The first thing that is wrong with a body by {field: rule} and one field that must not be empty; empty when nothing is';
REVOKE ALL ON FUNCTION agent.work_item_defect(jsonb, text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.create_work_item(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
    defect text;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    defect := agent.work_item_defect(body, 'title',
        '{"title": {"type": "string", "max": 1000}, "description": {"type": "string", "max": 100000},
          "priority": {"type": "integer", "min": -1000000, "max": 1000000}, "required_capabilities": {"type": "list"},
          "max_tokens": {"type": "integer", "min": 0}, "max_cost_usd": {"type": "number", "min": 0, "max": 1000000000},
          "max_duration_seconds": {"type": "integer", "min": 0}, "parent_id": {"type": "string", "max": 128},
          "depends_on": {"type": "list"}, "acceptance_criteria": {"type": "list"}, "created_by": {"type": "string"}}');
    IF defect <> '' THEN
        RETURN agent.refuse_work_item('create', NULL, 400, 'invalid_request', defect);
    ELSIF coalesce(nullif(body ->> 'created_by', ''), tenancy.current_subject()) IS DISTINCT FROM tenancy.current_subject() THEN
        RETURN agent.refuse_work_item('create', NULL, 403, 'not_subject', 'created_by is not the subject of the token');
    END IF;
    RETURN agent.answer(201, agent.work_item_record(agent.add_work_item(body)));
END
$$;
COMMENT ON FUNCTION agent.create_work_item(text, jsonb) IS
    'POST /v1/work-items: {title, description?, priority?, required_capabilities?, max_tokens?, max_cost_usd?, '
    'max_duration_seconds?, parent_id?, depends_on?, acceptance_criteria?, created_by?}. 201 the item; 400; 403';
REVOKE ALL ON FUNCTION agent.create_work_item(text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.list_work_items(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
    defect text;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    defect := agent.work_item_defect(body, '', '{"max_results": {"type": "integer", "min": 1}, "parent_id": {"type": "string"}}');
    IF defect <> '' THEN
        RETURN agent.refuse_work_item('list', NULL, 400, 'invalid_request', defect);
    END IF;
    RETURN agent.answer(200, (
        SELECT coalesce(jsonb_agg(r.record ORDER BY r.n), '[]')
        FROM (
            SELECT i.n, i.record, sum(octet_length(i.record::text)) OVER (ORDER BY i.n) AS bytes
            FROM (
                SELECT row_number() OVER (ORDER BY w.priority DESC, w.created_at, w.id) AS n,
                    agent.work_item_record(agent.as_of_now(w)) AS record
                FROM agent.work_items AS w
                WHERE (w.status = 'available' OR w.status = 'checked_out' AND w.lease_expires_at <= clock_timestamp())
                    AND (body ->> 'parent_id' IS NULL OR w.parent_id = body ->> 'parent_id')
                ORDER BY w.priority DESC, w.created_at, w.id
                LIMIT least(coalesce((body ->> 'max_results')::bigint, 20), 1000)
            ) AS i
        ) AS r
        WHERE r.n = 1 OR r.bytes <= 8388608)); -- an item may be megabytes, and memory is everybody's
END
$$;
COMMENT ON FUNCTION agent.list_work_items(text, jsonb) IS
    'GET /v1/work-items: {max_results? 20, at most 1000; parent_id?}. 200 array of what can be taken, most urgent and oldest first, '
    'no more than fit in 8388608 bytes; 400';
REVOKE ALL ON FUNCTION agent.list_work_items(text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.work_item_stats(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    RETURN agent.answer(200, (
        SELECT jsonb_build_object('counts', coalesce(jsonb_object_agg(c.status, c.n), '{}'), 'total', coalesce(sum(c.n), 0))
        FROM (SELECT (agent.as_of_now(w)).status, count(*) AS n FROM agent.work_items AS w GROUP BY 1) AS c));
END
$$;
COMMENT ON FUNCTION agent.work_item_stats(text, jsonb) IS 'GET /v1/work-items/stats. 200 {counts: {status: n}, total}';
REVOKE ALL ON FUNCTION agent.work_item_stats(text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.get_work_item(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
    wanted CONSTANT text := body ->> 'work_item_id';
    item agent.work_items;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    SELECT * INTO item FROM agent.work_items AS w WHERE w.id = wanted;
    IF NOT FOUND THEN
        RETURN agent.refuse_work_item('read', wanted, 404, 'not_found', format('Work item ''%s'' not found', wanted));
    END IF;
    RETURN agent.answer(200, agent.work_item_record(agent.as_of_now(item)));
END
$$;
COMMENT ON FUNCTION agent.get_work_item(text, jsonb) IS 'GET /v1/work-items/{work_item_id}. 200; 404';
REVOKE ALL ON FUNCTION agent.get_work_item(text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.answer_move(verb text, token text, body jsonb, required text, rules jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
    wanted CONSTANT text := body ->> 'work_item_id';
    defect text;
    moved record;
BEGIN
    PERFORM tenancy.set_tenant_from_jwt(token);
    defect := agent.work_item_defect(body, required, rules || '{"actor_id": {"type": "string"}}');
    IF defect <> '' THEN
        RETURN agent.refuse_work_item(verb, wanted, 400, 'invalid_request', defect);
    END IF;
    moved := agent.move_work_item(wanted, verb, body);
    IF moved.status IS NOT NULL THEN
        RETURN agent.refuse_work_item(verb, wanted, moved.status, moved.reason, moved.message);
    ELSIF verb = 'delete' THEN
        RETURN agent.answer(204, NULL);
    END IF;
    RETURN agent.answer(200, agent.work_item_record(moved.item));
END
$$;
COMMENT ON FUNCTION agent.answer_move(text, text, jsonb, text, jsonb) IS 'The routes that change a work item: check the body, move, answer';
REVOKE ALL ON FUNCTION agent.answer_move(text, text, jsonb, text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.checkout_work_item(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN agent.answer_move('checkout', token, body, '',
        '{"lease_duration_seconds": {"type": "integer", "min": 1, "max": 604800}}');
END
$$;
COMMENT ON FUNCTION agent.checkout_work_item(text, jsonb) IS
    'POST /v1/work-items/{work_item_id}/checkout: {actor_id? the subject, lease_duration_seconds? 300}. 200 the item; 400; 403; 409';
REVOKE ALL ON FUNCTION agent.checkout_work_item(text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.handoff_note_rules() RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{"accomplished": {"type": "list"}, "attempted": {"type": "list"}, "remaining": {"type": "list"},
         "blockers": {"type": "list"}, "artifacts": {"type": "object"}, "context": {"type": "string", "max": 100000}}'::jsonb;
COMMENT ON FUNCTION agent.handoff_note_rules() IS 'Rules of the note that whoever ends a lease leaves';
REVOKE ALL ON FUNCTION agent.handoff_note_rules() FROM PUBLIC;

CREATE FUNCTION agent.complete_work_item(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN agent.answer_move('complete', token, body, '',
        agent.handoff_note_rules() || '{"review_required": {"type": "boolean"}}');
END
$$;
COMMENT ON FUNCTION agent.complete_work_item(text, jsonb) IS
    'POST /v1/work-items/{work_item_id}/complete: {result?, review_required?, and the note: accomplished, attempted, remaining, '
    'blockers, artifacts, context}, by the holder of the lease. 200 the item; 400; 403; 409';
REVOKE ALL ON FUNCTION agent.complete_work_item(text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.release_work_item(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN agent.answer_move('release', token, body, '', agent.handoff_note_rules());
END
$$;
COMMENT ON FUNCTION agent.release_work_item(text, jsonb) IS
    'POST /v1/work-items/{work_item_id}/release: {the note}, by the holder of the lease. 200 the item; 400; 403; 409';
REVOKE ALL ON FUNCTION agent.release_work_item(text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.accept_work_item(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN agent.answer_move('accept', token, body, '',
        '{}');
END
$$;
COMMENT ON FUNCTION agent.accept_work_item(text, jsonb) IS
    'POST /v1/work-items/{work_item_id}/accept: by the creator. 200 the item, completed; 403; 409';
REVOKE ALL ON FUNCTION agent.accept_work_item(text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.reject_work_item(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN agent.answer_move('reject', token, body, 'reason',
        '{"reason": {"type": "string", "max": 10000}}');
END
$$;
COMMENT ON FUNCTION agent.reject_work_item(text, jsonb) IS
    'POST /v1/work-items/{work_item_id}/reject: {reason}, by the creator. 200 the item, available again, the reason among the blockers of its note; 400; 403; 409';
REVOKE ALL ON FUNCTION agent.reject_work_item(text, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.delete_work_item(token text, body jsonb) RETURNS agent.response
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN agent.answer_move('delete', token, body, '',
        '{}');
END
$$;
COMMENT ON FUNCTION agent.delete_work_item(text, jsonb) IS
    'DELETE /v1/work-items/{work_item_id}, by the creator: its status is failed from now on. 204; 403; 404';
REVOKE ALL ON FUNCTION agent.delete_work_item(text, jsonb) FROM PUBLIC;
