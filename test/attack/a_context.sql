-- A: forging the context. A refused token ends the context, so own tokens are set again. The attacker has a token of acme; globex has rows. A token is the context, and only
-- a signature makes one, so there is nothing else to set. token_acme, token_globex (stolen, the worst case),
-- token_expired and forged_token (a good one with other claims) are psql variables.

BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme') \g /dev/null

-- A1: name the tenant in a setting. Stopped: no setting holds a tenant; a token that is none is refused.
SET LOCAL app.tenant_id = 'globex';
SELECT attack.gives('A1 a setting of our own names no tenant', 'SELECT count(*) FROM shop.accounts WHERE tenant_id <> ''acme''', '0');
SELECT attack.refused('A1 a tenant id is no token', 'SET LOCAL tenancy.token = ''globex''; SELECT count(*) FROM shop.accounts', 'PT401');
SELECT tenancy.set_tenant_from_jwt(:'token_acme') \g /dev/null
SELECT attack.refused('A1 no setting can be added to the wall''s', 'SET tenancy.tenant = ''globex''', '42602');

-- A2, A3, A4: switch by set_config() in an injected WHERE, CTE or OR. Stopped: PostgreSQL refuses set_config() of
-- a hidden setting, and the other tenant's token is refused in this transaction.
SELECT attack.refused('A2 set_config() in WHERE', format('SELECT count(*) FROM shop.accounts WHERE set_config(''tenancy.token'', %L, true) IS NOT NULL', :'token_globex'), '42501 PT401');
SELECT attack.refused('A3 set_config() in a CTE', format('WITH s AS MATERIALIZED (SELECT set_config(''tenancy.token'', %L, true)) SELECT count(*) FROM shop.accounts, s', :'token_globex'), '42501 PT401');
SELECT tenancy.set_tenant_from_jwt(:'token_acme') \g /dev/null
SELECT attack.gives('A4 set_config() in OR', format('SELECT count(*) FROM shop.accounts WHERE tenant_id <> ''acme'' OR (tenant_id = ''none'' AND set_config(''tenancy.token'', %L, true) IS NULL)', :'token_globex'), '0');

-- A17: a savepoint before, the other token after. Stopped: the first tenant of a transaction stays its only one,
-- and what was refused leaves none at all.
SAVEPOINT before;
SELECT attack.refused('A17 another tenant in the same transaction', format('SELECT tenancy.set_tenant_from_jwt(%L)', :'token_globex'), '42501 25001 PT401 PT403');
ROLLBACK TO before;
SELECT attack.holds('A17 after ROLLBACK TO there is no other', coalesce(tenancy.current_tenant_or_null(), 'acme') = 'acme');
SELECT tenancy.set_tenant_from_jwt(:'token_acme') \g /dev/null

-- A18, A19: switch in the middle of a statement, in a parallel plan, too. Stopped as A17; the policy asks once.
SELECT attack.refused('A18 the tenant changes within a statement', format('SELECT tenant_id, tenancy.set_tenant_from_jwt(%L) FROM shop.accounts', :'token_globex'), '42501 25001 PT401 PT403');
SELECT tenancy.set_tenant_from_jwt(:'token_acme') \g /dev/null
SELECT set_config(name, 'on', true) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query') \g /dev/null
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SELECT attack.gives('A19 parallel workers see the same tenant', 'SELECT count(*) FROM shop.accounts WHERE tenant_id <> ''acme''', '0');
SELECT attack.holds('A19 and its rows', count(*) = 100) FROM shop.accounts;
COMMIT;

-- A10, A16: leave the transaction, or reset, for a state without a tenant that shows everything. Stopped: without
-- a tenant there is an error, not rows.
BEGIN;
SELECT attack.refused('A16 after COMMIT there is no tenant', 'SELECT count(*) FROM shop.accounts');
SELECT tenancy.set_tenant_from_jwt(:'token_acme') \g /dev/null
RESET ALL;
SELECT attack.refused('A10 after RESET ALL there is none', 'SELECT count(*) FROM shop.accounts');
ROLLBACK;
DISCARD ALL;
SELECT attack.refused('A10 nor after DISCARD ALL', 'SELECT count(*) FROM agent.sessions');
BEGIN;
SELECT attack.refused('A10 an empty token is no tenant', 'SET LOCAL tenancy.token = ''''; SELECT count(*) FROM shop.accounts', '42501 PT401');
ROLLBACK;

-- A5, A6: the token as a start-up option or as the role's own setting. Stopped: it is bound to the transaction
-- that assigned it, and the one of the connection's start is over.
SET tenancy.token = :'token_acme';
SELECT attack.refused('A6 a token of an earlier transaction is dead', 'SELECT count(*) FROM shop.accounts');
RESET tenancy.token;
\setenv PGOPTIONS -ctenancy.token=:token_globex
\c - attack_app
SELECT attack.refused('A5 a token in PGOPTIONS is dead', 'SELECT count(*) FROM shop.accounts');
\setenv PGOPTIONS
\c - attack_app

-- A7, A8, A9: a function with SET, ALTER DATABASE SET, UPDATE pg_settings. Stopped: no function can be made, the
-- database is not ours, and the setting is in no view.
SELECT attack.refused('A7 a function that sets', 'CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql SET app.x = ''globex'' AS ''SELECT 1''');
SELECT attack.refused('A8 ALTER DATABASE SET', format('ALTER DATABASE %I SET tenancy.token = ''x''', current_database()));
SELECT attack.holds('A9 the token is not in pg_settings', NOT EXISTS (SELECT FROM pg_settings WHERE name = 'tenancy.token'));

-- A11: write a row that is nobody's, to find it without a tenant. Stopped: NOT NULL and the policy.
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme') \g /dev/null
SELECT attack.refused('A11 a row without a tenant', 'INSERT INTO shop.accounts (tenant_id, id) VALUES (NULL, 999)', '42501 23502');
COMMIT;

-- A12 to A15: become somebody else, switch checks off, load code. Stopped by PostgreSQL for a role that is nothing.
SELECT attack.refused('A12 ' || s, s) FROM unnest(ARRAY['SET ROLE attack_owner', 'SET SESSION AUTHORIZATION attack_owner', 'SET ROLE pg_read_all_data']) s;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme') \g /dev/null
SELECT attack.refused('A13 row_security = off', 'SET LOCAL row_security = off; SELECT count(*) FROM shop.accounts');
COMMIT;
SELECT attack.refused('A14 session_replication_role', 'SET session_replication_role = replica');
SELECT attack.refused('A14 the scope of a token', 'SET tenancy.context_scope = session');
SELECT attack.refused('A15 LOAD', 'LOAD ''/tmp/evil.so''', '42501 58P01');
SELECT attack.refused('A15 preloading', 'SET session_preload_libraries = evil');

-- A20, A22: find a token or key. Stopped: it is hidden from SHOW and views; keys are in tables of administrators,
-- and public ones only. (A20, the statement text of another session: sessions.sh.)
SELECT attack.refused('A20 SHOW tenancy.token', 'SHOW tenancy.token');
SELECT attack.refused('A20 current_setting()', 'SELECT current_setting(''tenancy.token'')');
SELECT attack.refused('A22 ' || t, 'SELECT * FROM ' || t) FROM unnest('{tenancy.signing_keys,tenancy.issuers,tenancy.tenant_claims}'::text[]) t;
SELECT attack.holds('A22 no role or database has a secret setting', NOT EXISTS (SELECT FROM pg_db_role_setting s, unnest(s.setconfig) c WHERE c ~ 'token|secret|key'));

-- A21: an old token, and one with other claims under the old signature. Stopped: exp and the signature.
BEGIN;
SELECT attack.refused('A21 an expired token', format('SELECT tenancy.set_tenant_from_jwt(%L)', :'token_expired'), 'PT401');
SELECT attack.refused('A21 a token with changed claims', format('SELECT tenancy.set_tenant_from_jwt(%L)', :'forged_token'), 'PT401');
ROLLBACK;

-- A23: say in a header which tenant it is. Stopped: no header decides; a wrong one is 403.
BEGIN;
SET LOCAL request.header.x_tenant = 'globex';
SELECT attack.gives('A23 a header of another tenant is refused', format('SELECT (agent.call(''get_session'', %L, ''{"session_id": "foreign"}'', ''{"x_tenant": "globex"}'')).status', :'token_acme'), '403');
SELECT attack.gives('A23 and a setting is not read', format('SELECT (agent.call(''get_session'', %L, ''{"session_id": "foreign"}'', ''{}'')).status', :'token_acme'), '404');
ROLLBACK;
