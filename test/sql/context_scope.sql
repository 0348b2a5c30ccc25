-- What could carry a token into a session from outside: settings of roles, databases and functions.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
ALTER ROLE regress_app SET tenancy.guard = 'create'; -- helper functions of the test
SELECT format('ALTER ROLE regress_app SET tenancy.token = %L', :'token_acme_alice') AS statement \gset
:statement;
\c - regress_app
SELECT tenancy.current_tenant_or_null() IS NULL AS dead;
BEGIN;
SELECT tenancy.current_tenant();
ROLLBACK;
-- a stored token can be reached by RESET, and is dead all the same
BEGIN;
RESET tenancy.token;
SELECT tenancy.current_tenant_or_null() IS NULL AS dead;
ROLLBACK;
\c - :admin
ALTER ROLE regress_app RESET tenancy.token;

-- tenancy.context_scope is for administrators: it lifts the end of the transaction, not the proof
ALTER ROLE regress_app SET tenancy.context_scope = 'session';
\c - regress_app
SET tenancy.context_scope = 'transaction';
SET tenancy.token = :'token_acme_alice';
SELECT tenancy.current_tenant();
SELECT tenancy.current_subject();
SET tenancy.token = :'token_globex_carol';
SELECT tenancy.current_tenant();
SET tenancy.token = 'garbage';
SELECT tenancy.current_tenant();
RESET tenancy.token;
SELECT tenancy.current_tenant_or_null() IS NULL AS none;

-- even then a token stops working at its exp, in a transaction that is already open too
\c - :admin
SELECT tenancy.add_issuer('https://dev.issuer.example', '{agents}', 'org_id', leeway_seconds => 0);
\c - regress_app
\set short `:issuer_tool token acme alice 3`
SET tenancy.token = :'short';
SELECT tenancy.current_tenant();
BEGIN;
SELECT tenancy.current_tenant() FROM pg_sleep(3.1);
SELECT tenancy.current_tenant();
ROLLBACK;
\c - :admin
ALTER ROLE regress_app RESET tenancy.context_scope;

-- a function's own SET clause proves itself like any other token, and only inside that function
SELECT format('CREATE FUNCTION pg_temp.as_acme() RETURNS text LANGUAGE plpgsql SET tenancy.token = %L AS
$f$ BEGIN RETURN tenancy.current_tenant(); END $f$', :'token_acme_alice') AS statement \gset
\c - regress_app
:statement;
SELECT pg_temp.as_acme();
SELECT tenancy.current_tenant_or_null() IS NULL AS gone_after_the_call;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_globex_carol');
SELECT pg_temp.as_acme();
ROLLBACK;
