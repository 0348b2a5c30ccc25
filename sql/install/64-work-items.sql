-- Work items: how they are made and moved. Who acts is the subject of the token, never a name in the body.

-- A lease ends by the clock alone: no job has to run.
CREATE FUNCTION agent.as_of_now(item agent.work_items) RETURNS agent.work_items
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF item.status = 'checked_out' AND item.lease_expires_at <= clock_timestamp() THEN
        item.status := 'available';
        item.assignee := NULL;
        item.assignee_issuer := NULL;
        item.lease_expires_at := NULL;
    END IF;
    RETURN item;
END
$$;
COMMENT ON FUNCTION agent.as_of_now(agent.work_items) IS 'An item as it is now: available again when its lease has run out';
REVOKE ALL ON FUNCTION agent.as_of_now(agent.work_items) FROM PUBLIC;

CREATE FUNCTION agent.handoff_note(body jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT body ?| '{accomplished,attempted,remaining,blockers,artifacts,context}' THEN
        RETURN NULL;
    END IF;
    RETURN jsonb_build_object(
        'accomplished', coalesce(nullif(body -> 'accomplished', 'null'), '[]'),
        'attempted', coalesce(nullif(body -> 'attempted', 'null'), '[]'),
        'remaining', coalesce(nullif(body -> 'remaining', 'null'), '[]'),
        'blockers', coalesce(nullif(body -> 'blockers', 'null'), '[]'),
        'artifacts', coalesce(nullif(body -> 'artifacts', 'null'), '{}'),
        'context', coalesce(body ->> 'context', ''));
END
$$;
COMMENT ON FUNCTION agent.handoff_note(jsonb) IS 'What a worker leaves for the next one; NULL when the body has none of it';
REVOKE ALL ON FUNCTION agent.handoff_note(jsonb) FROM PUBLIC;

CREATE FUNCTION agent.audit_work_item(item_id text, verb text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM agent.append_audit(agent.audit_entry(tenancy.current_tenant(), 'work_item.' || verb, 'work_item', item_id));
END
$$;
COMMENT ON FUNCTION agent.audit_work_item(text, text) IS 'Internal: put a change of a work item on record';
REVOKE ALL ON FUNCTION agent.audit_work_item(text, text) FROM PUBLIC;

-- Definer: the application role cannot write the table, or created_by would be free text.
CREATE FUNCTION agent.add_work_item(body jsonb, OUT item agent.work_items)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.require(body ->> 'title' <> '', 'a work item has a title', 'Give a title of 1 to 1000 characters.');
    INSERT INTO agent.work_items (tenant_id, title, description, priority, required_capabilities, max_tokens,
        max_cost_usd, max_duration_seconds, parent_id, depends_on, acceptance_criteria)
    VALUES (tenancy.current_tenant(), body ->> 'title', coalesce(body ->> 'description', ''),
        coalesce((body ->> 'priority')::int, 0), coalesce(nullif(body -> 'required_capabilities', 'null'), '[]'),
        (body ->> 'max_tokens')::bigint, trim_scale(round((body ->> 'max_cost_usd')::numeric, 12)),
        (body ->> 'max_duration_seconds')::bigint, body ->> 'parent_id',
        coalesce(nullif(body -> 'depends_on', 'null'), '[]'), coalesce(nullif(body -> 'acceptance_criteria', 'null'), '[]'))
    RETURNING * INTO item;
    PERFORM agent.audit_work_item(item.id, 'create');
END
$$;
COMMENT ON FUNCTION agent.add_work_item(jsonb) IS 'Makes a work item of the verified tenant and subject';
REVOKE ALL ON FUNCTION agent.add_work_item(jsonb) FROM PUBLIC;

-- What stands against a change of an item by a subject: 403, 404 or 409 and why; no row when nothing does.
CREATE FUNCTION agent.work_item_objection(item agent.work_items, wanted text, verb text, subject text, body jsonb)
RETURNS TABLE (status int, reason text, message text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    state CONSTANT text := coalesce(item.status, 'not_found');
    issuer CONSTANT text := tenancy.current_issuer(); -- whose subject it is
BEGIN
    RETURN QUERY
    SELECT o.code, o.word, o.text FROM (VALUES
        (404, 'not_found', format('Work item ''%s'' not found', wanted), verb = 'delete' AND item.id IS NULL),
        (403, 'not_subject', 'actor_id is not the subject of the token',
            subject IS DISTINCT FROM coalesce(body ->> 'actor_id', subject)),
        (403, 'no_subject', 'The token names no subject that could hold a lease', verb = 'checkout' AND subject IS NULL),
        (409, 'not_available', format('Work item ''%s'' is not available (status=%s)', wanted, state),
            verb = 'checkout' AND state <> 'available'),
        (409, 'not_checked_out', format('Work item ''%s'' is not checked out (status=%s)', wanted, state),
            verb IN ('complete', 'release') AND state <> 'checked_out'),
        (409, 'not_holder', format('Work item ''%s'' is checked out by another actor', wanted),
            verb IN ('complete', 'release')
                AND (item.assignee, item.assignee_issuer) IS DISTINCT FROM (subject, issuer)),
        (409, 'not_review_pending', format('Work item ''%s'' is not awaiting review (status=%s)', wanted, state),
            verb IN ('accept', 'reject') AND state <> 'review_pending'),
        (403, 'not_creator', format('Work item ''%s'' can be accepted, rejected and deleted by its creator only', wanted),
            verb IN ('accept', 'reject', 'delete')
                AND (item.created_by, item.created_by_issuer) IS DISTINCT FROM (coalesce(subject, ''), issuer))
    ) AS o (code, word, text, holds) WHERE o.holds LIMIT 1;
END
$$;
COMMENT ON FUNCTION agent.work_item_objection(agent.work_items, text, text, text, jsonb) IS
    'Internal: why a subject may not move an item so; no row: it may';
REVOKE ALL ON FUNCTION agent.work_item_objection(agent.work_items, text, text, text, jsonb) FROM PUBLIC;

-- Definer: the application role cannot write the table. The row's lock makes a change whole: of two checkouts
-- the second waits, looks again and finds the item taken.
CREATE FUNCTION agent.move_work_item(wanted text, verb text, body jsonb,
    OUT item agent.work_items, OUT status int, OUT reason text, OUT message text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    subject CONSTANT text := tenancy.current_subject();
    note jsonb := agent.handoff_note(body);
BEGIN
    PERFORM tenancy.require(verb IN ('checkout', 'complete', 'release', 'accept', 'reject', 'delete'),
        'no such change of a work item', 'Use checkout, complete, release, accept, reject or delete.');
    SELECT w.* INTO item FROM agent.work_items AS w WHERE w.tenant_id = tenancy.current_tenant() AND w.id = wanted FOR UPDATE;
    item := agent.as_of_now(item);
    SELECT o.* INTO status, reason, message FROM agent.work_item_objection(item, wanted, verb, subject, body) AS o;
    IF FOUND THEN
        RETURN;
    END IF;
    IF verb = 'reject' THEN
        note := coalesce(item.handoff_note, agent.handoff_note('{"blockers": []}'));
        note := jsonb_set(note, '{blockers}', (note -> 'blockers') || jsonb_build_array(body -> 'reason'));
    END IF;
    UPDATE agent.work_items AS w SET
        status = CASE verb WHEN 'checkout' THEN 'checked_out' WHEN 'accept' THEN 'completed' WHEN 'delete' THEN 'failed'
            WHEN 'complete' THEN CASE WHEN body -> 'review_required' = 'true' THEN 'review_pending' ELSE 'completed' END
            ELSE 'available' END,
        assignee = CASE WHEN verb = 'checkout' THEN subject WHEN verb IN ('release', 'reject') THEN NULL ELSE item.assignee END,
        assignee_issuer = CASE WHEN verb = 'checkout' THEN tenancy.current_issuer() WHEN verb IN ('release', 'reject') THEN NULL
            ELSE item.assignee_issuer END,
        lease_expires_at = CASE WHEN verb = 'checkout'
            THEN clock_timestamp() + make_interval(secs => least(coalesce((body ->> 'lease_duration_seconds')::int, 300), 604800)) END,
        handoff_note = coalesce(note, item.handoff_note),
        result = CASE WHEN verb = 'complete' THEN nullif(body -> 'result', 'null') ELSE item.result END,
        updated_at = clock_timestamp()
    WHERE w.tenant_id = item.tenant_id AND w.id = item.id
    RETURNING w.* INTO item;
    PERFORM agent.audit_work_item(item.id, verb);
END
$$;
COMMENT ON FUNCTION agent.move_work_item(text, text, jsonb) IS
    'Changes a work item of the verified tenant as the verified subject: checkout, complete, release, accept, reject, delete. '
    'The item, or status 403, 404, 409, reason and message';
REVOKE ALL ON FUNCTION agent.move_work_item(text, text, jsonb) FROM PUBLIC;
