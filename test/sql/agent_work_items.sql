-- Work items: made, taken under a lease, completed, reviewed; only by whom it concerns, and only in their tenant.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
TRUNCATE agent.work_items;
CREATE FUNCTION public.call(token text, route text, body jsonb, OUT status int, OUT body_ jsonb) LANGUAGE sql AS $$
    SELECT c.status, c.body - '{id,created_at,updated_at}'::text[] FROM agent.call(route, token, body, '{}') c $$;
GRANT EXECUTE ON FUNCTION public.call TO PUBLIC;
\c - regress_app

-- made: the creator is the subject; money is exact
SELECT status, body - '{id,created_at,updated_at}'::text[] AS item, body ->> 'id' ~ '^wi_[0-9a-f]{16}$' AS id_ok, body ->> 'id' AS low
FROM agent.create_work_item(:'token_acme_alice', '{"title": "low", "max_cost_usd": 0.1, "max_tokens": 100, "depends_on": ["wi_x"], "required_capabilities": [{"name": "a", "value": 1}]}') \gset
\echo :status :item :id_ok
SELECT body ->> 'id' AS high FROM agent.create_work_item(:'token_acme_alice', '{"title": "high", "priority": 5, "created_by": "alice", "parent_id": "p"}') \gset
SELECT (c).* FROM (SELECT call(:'token_acme_alice', 'create_work_item', b) c FROM unnest(ARRAY['{}', '{"title": ""}', '[]', '{"title": 5}', '{"title": "x", "priority": "high"}',
    '{"title": "x", "depends_on": "y"}', '{"title": "x", "max_cost_usd": -1}', '{"title": "x", "created_by": "bob"}']::jsonb[]) b) x;

-- listed: what can be taken, most urgent first
SELECT i.value ->> 'title' AS title FROM agent.list_work_items(:'token_acme_bob', '{}') l, jsonb_array_elements(l.body) i;
SELECT i.value ->> 'title' AS title FROM agent.list_work_items(:'token_acme_bob', '{"max_results": "1"}') l, jsonb_array_elements(l.body) i;
SELECT i.value ->> 'title' AS title FROM agent.list_work_items(:'token_acme_bob', '{"parent_id": "p"}') l, jsonb_array_elements(l.body) i;
SELECT status, body FROM agent.list_work_items(:'token_acme_bob', '{"max_results": "-1"}');

-- taken: as oneself and nobody else, and once
SELECT jsonb_build_object('work_item_id', :'low') AS low_id, jsonb_build_object('work_item_id', :'high') AS high_id \gset
SELECT * FROM call(:'token_acme_bob', 'checkout_work_item', :'low_id'::jsonb || '{"actor_id": "alice"}');
SELECT * FROM call(:'token_acme_bob', 'checkout_work_item', :'low_id'::jsonb || '{"lease_duration_seconds": 0}');
SELECT status, body_ ->> 'status' AS state, body_ ->> 'assignee' AS assignee FROM call(:'token_acme_bob', 'checkout_work_item', :'low_id'::jsonb || '{"actor_id": "bob"}');
SELECT status, replace(body_::text, :'low', '<id>') AS body FROM call(:'token_acme_alice', 'checkout_work_item', :'low_id');
SELECT * FROM call(:'token_acme_alice', 'checkout_work_item', '{"work_item_id": "wi_none"}');
SELECT status, body FROM agent.work_item_stats(:'token_acme_alice', '{}');

-- completed and released by the holder only
SELECT status, replace(body_::text, :'low', '<id>') AS body FROM call(:'token_acme_alice', 'complete_work_item', :'low_id');
SELECT status, replace(body_::text, :'low', '<id>') AS body FROM call(:'token_acme_alice', 'release_work_item', :'low_id');
SELECT * FROM call(:'token_acme_bob', 'complete_work_item', :'low_id'::jsonb || '{"remaining": "all"}');
SELECT route, string_agg((c).status || ' ' || ((c).body_ ->> 'error'), ', ' ORDER BY field) AS refused
FROM unnest('{complete,release}'::text[]) route, unnest('{accomplished,attempted,remaining,blockers,artifacts,context}'::text[]) field,
    LATERAL (SELECT call(:'token_acme_bob', route || '_work_item', :'low_id'::jsonb || jsonb_build_object(field, 5)) c) x GROUP BY 1 ORDER BY 1;
SELECT status, body_ ->> 'status' AS state, body_ ->> 'assignee' AS assignee, body_ -> 'handoff_note' AS note
FROM call(:'token_acme_bob', 'release_work_item', :'low_id'::jsonb || '{"remaining": ["all"], "context": "tired"}');
SELECT status, replace(body_::text, :'low', '<id>') AS body FROM call(:'token_acme_bob', 'complete_work_item', :'low_id');

-- a lease that has run out is none: the item can be taken, and its holder has lost it
SELECT status FROM call(:'token_acme_bob', 'checkout_work_item', :'low_id');
\c - :admin
UPDATE agent.work_items SET lease_expires_at = clock_timestamp() - interval '1 second' WHERE id = :'low';
\c - regress_app
SELECT status, body_ ->> 'status' AS state, body_ -> 'assignee' AS assignee FROM call(:'token_acme_alice', 'get_work_item', :'low_id');
SELECT i.value ->> 'title' AS title, i.value ->> 'status' AS state FROM agent.list_work_items(:'token_acme_bob', '{}') l, jsonb_array_elements(l.body) i;
SELECT body FROM agent.work_item_stats(:'token_acme_alice', '{}');
SELECT status, replace(body_::text, :'low', '<id>') AS body FROM call(:'token_acme_bob', 'complete_work_item', :'low_id');
SELECT status, body_ ->> 'assignee' AS assignee FROM call(:'token_acme_alice', 'checkout_work_item', :'low_id');
SELECT status, body_ ->> 'status' AS state, body_ -> 'result' AS result FROM call(:'token_acme_alice', 'complete_work_item', :'low_id'::jsonb || '{"result": {"answer": 42}}');

-- reviewed: by the creator only
SELECT status FROM call(:'token_acme_bob', 'checkout_work_item', :'high_id');
SELECT status, replace(body_::text, :'high', '<id>') AS body FROM call(:'token_acme_alice', 'accept_work_item', :'high_id');
SELECT status, body_ ->> 'status' AS state FROM call(:'token_acme_bob', 'complete_work_item', :'high_id'::jsonb || '{"review_required": true}');
SELECT status, replace(body_::text, :'high', '<id>') AS body FROM call(:'token_acme_bob', 'accept_work_item', :'high_id');
SELECT * FROM call(:'token_acme_alice', 'reject_work_item', :'high_id');
SELECT status, body_ ->> 'status' AS state, body_ -> 'assignee' AS assignee, body_ #> '{handoff_note,blockers}' AS blockers
FROM call(:'token_acme_alice', 'reject_work_item', :'high_id'::jsonb || '{"reason": "not yet"}');
SELECT status FROM call(:'token_acme_bob', 'checkout_work_item', :'high_id');
SELECT status FROM call(:'token_acme_bob', 'complete_work_item', :'high_id'::jsonb || '{"review_required": true}');
SELECT status, body_ ->> 'status' AS state, body_ ->> 'assignee' AS assignee FROM call(:'token_acme_alice', 'accept_work_item', :'high_id');

-- deleted: by the creator, from any state
SELECT status, replace(body_::text, :'high', '<id>') AS body FROM call(:'token_acme_bob', 'delete_work_item', :'high_id');
SELECT * FROM call(:'token_acme_alice', 'delete_work_item', :'high_id');
SELECT status, body_ ->> 'status' AS state FROM call(:'token_acme_alice', 'get_work_item', :'high_id');
SELECT * FROM call(:'token_acme_alice', 'delete_work_item', '{"work_item_id": "wi_none"}');

-- another tenant's item is nobody's
SELECT route, c.status = u.status AND replace(c.body_::text, :'low', 'wi_none') = u.body_::text AS alike, u.status
FROM unnest('{get,checkout,complete,release,accept,delete}'::text[]) route,
    call(:'token_globex_carol', route || '_work_item', :'low_id') c, call(:'token_globex_carol', route || '_work_item', '{"work_item_id": "wi_none"}') u;
SELECT body FROM agent.list_work_items(:'token_globex_carol', '{}');
SELECT body FROM agent.work_item_stats(:'token_globex_carol', '{}');

-- a list is no larger than a few megabytes, and never empty because of it
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_globex_carol');
SELECT count(agent.add_work_item(jsonb_build_object('title', n, 'acceptance_criteria', jsonb_build_array(repeat('x', 3000000 * n)))))
FROM generate_series(1, 3) n;
SELECT jsonb_path_query_array(body, '$[*].title') AS listed FROM agent.list_work_items(:'token_globex_carol', '{}');
SELECT count(agent.move_work_item(id, 'checkout', '{}')) FROM agent.work_items WHERE title < '3';
SELECT jsonb_path_query_array(body, '$[*].title') AS listed FROM agent.list_work_items(:'token_globex_carol', '{}');
-- nor is a lease longer than a week
SELECT count(agent.move_work_item(id, 'checkout', '{"lease_duration_seconds": 2147483647}')) FROM agent.work_items WHERE title = '3';
SELECT max(lease_expires_at) < clock_timestamp() + interval '604801 seconds' AS at_most_a_week FROM agent.work_items;
ROLLBACK;

-- plain SQL writes nothing
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SAVEPOINT here;
INSERT INTO agent.work_items (title) VALUES ('x');
ROLLBACK TO here;
UPDATE agent.work_items SET assignee = 'alice';
ROLLBACK TO here;
DELETE FROM agent.work_items;
ROLLBACK TO here;
SELECT agent.move_work_item(:'high', 'checked_out', '{}');
ROLLBACK TO here;
SELECT tenant_id, count(*) FROM agent.work_items GROUP BY 1;
ROLLBACK;

-- a subject is its issuer's: the same name from another issuer of the tenant is somebody else
\c - :admin
\set two `:issuer_tool claims "$(printf '{"iss":"https://two.example","aud":"agents","org_id":"acme","sub":"alice","exp":%d}' $(($(date +%s) + 600)))"`
BEGIN;
SELECT tenancy.add_issuer('https://two.example', '{agents}', 'org_id'), tenancy.add_tenant('acme', 'https://two.example', 'acme');
SELECT count(*) FROM tenancy.load_jwks('https://two.example', :'jwks');
SELECT jsonb_build_object('work_item_id', body -> 'id') AS one_id FROM agent.create_work_item(:'token_acme_alice', '{"title": "one''s"}') \gset
SELECT status FROM call(:'token_acme_alice', 'checkout_work_item', :'one_id');
SELECT status, replace(body_::text, :'one_id'::jsonb ->> 'work_item_id', 'ID') AS body FROM call(:'two', 'complete_work_item', :'one_id');
SELECT status, replace(body_::text, :'one_id'::jsonb ->> 'work_item_id', 'ID') AS body FROM call(:'two', 'delete_work_item', :'one_id');
SELECT status FROM call(:'token_acme_alice', 'complete_work_item', :'one_id');
SELECT a.status AS one, b.status AS two FROM agent.create_trace(:'token_acme_alice', '{"trace_id": "one", "spans": []}') a,
    agent.create_trace(:'two', '{"trace_id": "one", "spans": []}') b;
ROLLBACK;

-- on record
SELECT tenant_id, action, actor, outcome, status, reason, count(*) FROM agent.audit_log GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6;
DROP FUNCTION public.call;
