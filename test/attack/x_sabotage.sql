-- X and L: exhaustion and sabotage through the role that all tenants share. What changes the role itself, or needs
-- no privilege (LISTEN, LOCK TABLE), is in guard_utility.sql; what takes two sessions in sessions.sh.

SET client_min_messages = error;

-- X5: end or interrupt the sessions of others, who are the same role. Stopped: revoked from PUBLIC.
SELECT attack.refused('X5 ' || f, format('SELECT %s(1)', f)) FROM unnest('{pg_terminate_backend,pg_cancel_backend}'::text[]) f;

-- X6, X7: prepared transactions, which any session of the role can end. Stopped: max_prepared_transactions = 0. (A hot
-- standby must have as many places as its primary, and makes none.)
SELECT attack.holds('X6 X7 there is no place for a prepared transaction', current_setting('max_prepared_transactions') = '0' OR pg_is_in_recovery());
SELECT attack.refused('X6 ROLLBACK PREPARED', 'ROLLBACK PREPARED ''b-tx-1''', '42501 42704 25001 0A000');

-- X9: temporary files without end. PostgreSQL leaves temp_file_limit to superusers.
SELECT attack.refused('X9 temp_file_limit', 'SET temp_file_limit = -1');

-- X10: WAL without rows. Stopped: revoked from PUBLIC.
SELECT attack.refused('X10 pg_logical_emit_message()', 'SELECT pg_logical_emit_message(false, ''x'', repeat(''x'', 1000))');
SELECT attack.refused('X10 pg_export_snapshot()', 'SELECT pg_export_snapshot()');

-- X11: speak to the listeners of other tenants. The function is revoked; the statement is in guard_utility.sql.
SELECT attack.refused('X11 pg_notify()', 'SELECT pg_notify(''globex'', ''spoofed'')');

-- X12: large objects belong to no tenant. Stopped: their functions are revoked from PUBLIC.
SELECT attack.refused('X12 ' || s, 'SELECT ' || s) FROM unnest(ARRAY['lo_get(4242)', 'lo_put(4242, 0, ''x'')', 'lo_unlink(4242)', 'lo_create(0)', 'lo_creat(-1)', 'lo_open(4242, 262144)', 'lo_from_bytea(0, ''x'')', 'loread(0, 1)', 'lowrite(0, ''x'')']) s;

-- X13: bloat of catalogs by temporary objects. Stopped: no TEMPORARY.
SELECT attack.refused('X13 a temporary table', 'CREATE TEMP TABLE bloat AS SELECT 1');
SELECT attack.refused('X13 SELECT INTO TEMP', 'SELECT 1 AS x INTO TEMP bloat');

-- X14: drop what the role owns and has. Nothing is owned, and what others granted is not its own to give up
-- (REVOKE: sessions.sh).
SELECT attack.refused('X14 DROP OWNED BY', 'DROP OWNED BY attack_app');

-- L2, L3: advisory locks, which know no tenants; 200,000 of them fill the lock table of the whole server. Stopped:
-- revoked from PUBLIC.
SELECT attack.refused('L2 L3 ' || f, format('SELECT %s(42)', f)) FROM unnest('{pg_advisory_lock,pg_advisory_xact_lock,pg_try_advisory_lock,pg_advisory_lock_shared,pg_advisory_unlock}'::text[]) f;

-- R1, R4, R13, R14, R15: leave something in a pooled session, or run code. Stopped: no TEMPORARY, no sequences, no
-- USAGE on languages.
SELECT attack.refused('R15 DO', 'DO $$ BEGIN END $$');
SELECT attack.refused('R15 a function in ' || l, format('CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE %s AS ''SELECT 1''', l)) FROM unnest('{sql,plpgsql}'::text[]) l;
SELECT attack.refused('R1 a temporary table', 'CREATE TEMP TABLE left_behind AS SELECT * FROM shop.accounts');
SELECT attack.refused('R4 lastval()', 'SELECT lastval()', '55000');
SELECT attack.refused('R14 plpython3u', 'CREATE FUNCTION shop.f() RETURNS int LANGUAGE plpython3u AS ''return 1''', '42501 42704');

-- R7: a cursor opened as one tenant and fetched as another. Stopped: a transaction has one tenant.
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme') \g /dev/null
DECLARE c CURSOR FOR SELECT tenant_id FROM shop.accounts ORDER BY id;
SELECT attack.refused('R7 another tenant while a cursor is open', format('SELECT tenancy.set_tenant_from_jwt(%L)', :'token_globex'), '42501 25001 PT401 PT403');
ROLLBACK;
