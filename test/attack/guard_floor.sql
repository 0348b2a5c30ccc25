-- P16, P17: a policy widened, or row security switched off, by the owner: no attack of the application, but an
-- accident that must not open the wall. run.sh lets the owner break shop.bookings (guard_broken.sql) before.
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme') \g /dev/null
SELECT attack.gives('P16 a policy USING (true) shows own rows only', 'SELECT count(*) FROM shop.bookings WHERE tenant_id <> ''acme''', '0');
SELECT attack.refused('P16 and takes no foreign row', 'INSERT INTO shop.bookings VALUES (''globex'', ''[7,8)'')');
SELECT attack.refused('P17 a table without row security is closed', 'SELECT count(*) FROM shop.entries', '42501 55000');
COMMIT;
