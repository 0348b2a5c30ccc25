-- What needs no privilege, or only those that the application must have, and is stopped by the guards of the module
-- (tenancy.guard): statements that change the role all tenants share, wait for everybody, or count foreign rows.

-- X1 to X4, X15, N9: settings and password of the shared role hit the next session of every tenant.
SELECT attack.refused(c || ' ' || s, 'ALTER ROLE attack_app ' || s) FROM (VALUES ('X1', 'SET statement_timeout = ''1ms'''), ('X2', 'SET default_transaction_read_only = on'), ('X3', 'SET row_security = off'),
    ('X4', 'PASSWORD NULL'), ('X4', 'PASSWORD ''x'''), ('X15 N9', 'SET search_path = pg_temp, public'), ('A6', 'SET tenancy.token = ''x'''), ('X1', 'RESET ALL')) v (c, s);
SELECT attack.refused('X1 for one database', format('ALTER ROLE CURRENT_USER IN DATABASE %I SET statement_timeout = 1', current_database()));

BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme') \g /dev/null
-- L1: a table lock makes every other tenant wait.
SELECT attack.refused('L1 ' || m, format('LOCK TABLE shop.accounts IN %s MODE', m)) FROM unnest('{ACCESS EXCLUSIVE,EXCLUSIVE,SHARE,SHARE ROW EXCLUSIVE,SHARE UPDATE EXCLUSIVE}'::text[]) m;

-- X11, R5: channels know no tenants; one's own are tenancy.channel()'s.
SELECT attack.refused('X11 NOTIFY', 'NOTIFY globex, ''spoofed''');
SELECT attack.refused('X11 R5 LISTEN', 'LISTEN globex');

-- Q4 to Q9: EXPLAIN ANALYZE counts what conditions met before the policy; costs and estimates come from all tenants.
SELECT attack.refused('Q4 Q5 Q6 Q7 ' || o, format('EXPLAIN (%s) SELECT * FROM shop.accounts WHERE ctid > ''(0,0)''', o)) FROM unnest('{ANALYZE,"ANALYZE, BUFFERS","ANALYZE false, ANALYZE true"}'::text[]) o;
SELECT attack.refused('Q8 EXPLAIN BUFFERS', 'EXPLAIN (ANALYZE, BUFFERS) SELECT count(*) FROM shop.accounts');
SELECT attack.refused('Q9 EXPLAIN', 'EXPLAIN SELECT * FROM shop.accounts');

-- N, R and X13 once more: refused for the role, whatever PUBLIC may do in this database.
SELECT attack.refused(c || ' ' || s, s) FROM (VALUES ('R15', 'DO ''BEGIN END'''), ('R3', 'PREPARE p AS SELECT 1'), ('R3', 'EXECUTE p'), ('R1', 'CREATE TEMP TABLE t ()'), ('A15', 'LOAD ''pg_tenancy'''), ('U13', 'TRUNCATE shop.accounts'),
    ('X14', 'DROP OWNED BY attack_app'), ('X14', 'REASSIGN OWNED BY attack_app TO attack_app'), ('P18', 'CREATE TRIGGER t AFTER INSERT ON shop.accounts EXECUTE FUNCTION x()'),
    ('A12', 'SET SESSION AUTHORIZATION attack_app'), ('P20', 'COPY shop.accounts TO ''/tmp/attack''')) v (c, s);
COMMIT;
