-- What a hostile reviewer got through with the application's role; each stopped now.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
ALTER ROLE regress_app SET tenancy.guard = 'explain'; -- what it shows is what is tested
SET client_min_messages = warning;
TRUNCATE agent.sessions, agent.feedback CASCADE;
-- statistics that contain a value of globex, and none of acme
INSERT INTO agent.feedback (tenant_id, feedback_id, trace_id, rating, comment, user_id)
    SELECT 'globex', 'f' || n, 't', 1, CASE WHEN n % 2 = 0 THEN 'merger with Initech' ELSE n::text END, 'carol' FROM generate_series(1, 1000) n;
ANALYZE agent.feedback;
RESET client_min_messages;
CREATE FUNCTION public.estimate(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
    RETURN plan #>> '{0,Plan,Plan Rows}';
END $$;

-- plain EXPLAIN told a common value of another tenant from one that nobody has; now both look alike
\c - regress_app
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT public.estimate($$SELECT * FROM agent.feedback WHERE comment = 'merger with Initech'$$) =
       public.estimate($$SELECT * FROM agent.feedback WHERE comment = 'merger with nobody'$$) AS alike,
       public.estimate($$SELECT * FROM agent.feedback WHERE tenant_id = 'globex'$$) =
       public.estimate($$SELECT * FROM agent.feedback WHERE tenant_id = 'nobody'$$) AS tenants_alike;
COMMIT;
-- the test would see a difference: the owner's planner has statistics
\c - :admin
SELECT public.estimate($$SELECT * FROM agent.feedback WHERE comment = 'merger with Initech'$$) =
       public.estimate($$SELECT * FROM agent.feedback WHERE comment = 'merger with nobody'$$) AS alike;

-- clearing the context within a statement hid the write from the audit
\c - regress_app
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
INSERT INTO agent.sessions (session_id) VALUES ('audited');
DELETE FROM agent.sessions WHERE session_id = 'audited' RETURNING tenancy.clear_tenant();
ROLLBACK;

-- bytes that are no text came in through settings, and no dump with them could be restored
\set bad `printf 'options=\047-c my.x=\377\376 -c tenancy.request_id=ok\047 user=regress_app dbname=%s' :DBNAME`
\c :bad
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
INSERT INTO agent.feedback (rating, comment) VALUES (1, current_setting('my.x'));
ROLLBACK;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT agent.record_refusal('x.y', 'session', 's', 400, current_setting('my.x'));
ROLLBACK;
\c - regress_app
SET tenancy.request_id = E'caf\u00e9';

-- what an earlier transaction said of its request counts no more: in a pooled session it would price and sign the next tenant's turn
SET tenancy.model = 'cheap';
SELECT current_setting('tenancy.model') AS model;
BEGIN;
SET tenancy.model = 'mine';
SAVEPOINT s;
SET LOCAL tenancy.model = 'another';
ROLLBACK TO s;
SELECT current_setting('tenancy.model') AS model;
COMMIT;
SHOW tenancy.model;
\set by_option `printf 'options=\047-c tenancy.model=given\047 user=regress_app dbname=%s' :DBNAME`
\c :by_option
SET tenancy.model = 'cheap';
RESET tenancy.model;
SELECT current_setting('tenancy.model') AS of_the_connection;
\c - regress_app

-- earlier grants outlived grant_app()
\c - :admin
GRANT TRUNCATE ON agent.messages TO regress_app;
GRANT EXECUTE ON FUNCTION tenancy.add_issuer TO regress_app;
SELECT tenancy.grant_app('regress_app');
SELECT has_table_privilege('regress_app', 'agent.messages', 'TRUNCATE') AS truncates,
       has_function_privilege('regress_app', 'tenancy.add_issuer(text, text[], text, text[], text, text[], int, int, int, boolean, boolean, boolean, boolean)', 'EXECUTE') AS adds_issuers;
-- and an application role is no maintenance role
SELECT tenancy.grant_maintenance('regress_app');
SET client_min_messages = warning;
DROP FUNCTION public.estimate;
TRUNCATE agent.sessions, agent.feedback CASCADE;
