-- One round of a client of both tenants on one connection, for the promotion: each reads its rows, by a kept plan and
-- by a route, and writes. Says what it got; promoted.sh knows what may come. A lost transaction is ended by its COMMIT.
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme') \g /dev/null
EXECUTE rows_of('acme');
SELECT 'acme', 'session', body ->> 'session_id' FROM agent.get_session(:'token_acme', '{"session_id": "own"}');
COMMIT;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_globex') \g /dev/null
EXECUTE rows_of('globex');
SELECT 'globex', 'session', body ->> 'session_id' FROM agent.get_session(:'token_globex', '{"session_id": "foreign"}');
COMMIT;
EXECUTE rows_of('nobody');
SELECT 'acme', 'wrote', status FROM agent.create_session(:'token_acme', '{}');
SELECT 'globex', 'wrote', status FROM agent.create_session(:'token_globex', '{}');
