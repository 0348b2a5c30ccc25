-- U: constraint oracles and writes. A key that is common to all tenants answers whether another tenant has a value;
-- a foreign key reaches into its rows. Stopped: every key and reference starts with the tenant.
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme') \g /dev/null

-- U1 to U4: a duplicate of what globex has is no duplicate for acme. Each of these goes through, or gives the same
-- error, like one about a value that nobody has.
SELECT attack.alike('U1 an INSERT of a foreign address', 'INSERT INTO shop.accounts (id, email) VALUES (5001, ''ceo@globex.example'') RETURNING 1', 'INSERT INTO shop.accounts (id, email) VALUES (5002, ''cfo@globex.example'') RETURNING 1');
SELECT attack.alike('U2 ON CONFLICT DO NOTHING', 'INSERT INTO shop.accounts (id, email) VALUES (5003, ''g1@globex.example'') ON CONFLICT DO NOTHING RETURNING 1', 'INSERT INTO shop.accounts (id, email) VALUES (5004, ''g1@nobody.example'') ON CONFLICT DO NOTHING RETURNING 1');
SELECT attack.alike('U3 ON CONFLICT DO UPDATE', 'INSERT INTO shop.accounts (id, balance) VALUES (777, 0) ON CONFLICT ON CONSTRAINT accounts_pkey DO UPDATE SET balance = 0 RETURNING 1', 'INSERT INTO shop.accounts (id, balance) VALUES (778, 0) ON CONFLICT ON CONSTRAINT accounts_pkey DO UPDATE SET balance = 0 RETURNING 1');
SELECT attack.alike('U4 a guessed primary key', 'INSERT INTO shop.accounts (id) VALUES (777) RETURNING 1', 'INSERT INTO shop.accounts (id) VALUES (778) RETURNING 1');
SELECT attack.alike('U4 MERGE', 'MERGE INTO shop.accounts a USING (VALUES (777)) v (i) ON a.id = v.i WHEN NOT MATCHED THEN INSERT (id) VALUES (v.i)', 'MERGE INTO shop.accounts a USING (VALUES (778)) v (i) ON a.id = v.i WHEN NOT MATCHED THEN INSERT (id) VALUES (v.i)');
SELECT attack.alike('U4 the same session id as another tenant', 'INSERT INTO agent.sessions (session_id) VALUES (''foreign'') RETURNING 1', 'INSERT INTO agent.sessions (session_id) VALUES (''nobodys'') RETURNING 1');

-- U5: an exclusion constraint.
SELECT attack.alike('U5 an exclusion constraint', 'INSERT INTO shop.bookings (during) VALUES (''[100,110)'') RETURNING 1', 'INSERT INTO shop.bookings (during) VALUES (''[300,310)'') RETURNING 1');

-- U6 to U9: refer to a row of globex: whether that works tells of it, keeps it from being deleted, and cascades.
SELECT attack.refused('U6 U7 U8 U9 a reference to a foreign row', 'INSERT INTO shop.entries (id, account_id) VALUES (50, 777)', '23503');
SELECT attack.refused('U6 a fork of a foreign session', 'INSERT INTO agent.sessions (session_id, parent_session_id) VALUES (''spy'', ''foreign'')', 'P0002 23503 42501 PT404');

-- U10: a row with another tenant's id, by each command that writes. Stopped: WITH CHECK of the tenant's policy.
SELECT attack.refused('U10 INSERT', 'INSERT INTO shop.accounts (tenant_id, id) VALUES (''globex'', 6000)');
SELECT attack.refused('U10 UPDATE', 'UPDATE shop.accounts SET tenant_id = ''globex'', id = 6000 WHERE id = 1');
SELECT attack.refused('U10 MERGE', 'MERGE INTO shop.accounts a USING (VALUES (1)) v (i) ON a.id = v.i WHEN MATCHED THEN UPDATE SET tenant_id = ''globex'', id = 6000');
SELECT attack.refused('U10 ' || t, format('INSERT INTO agent.%s (tenant_id) VALUES (''globex'')', t), '42501') FROM unnest('{sessions,feedback,messages,usage,audit_log,files,file_contents,file_usage,work_items}'::text[]) t;

-- U12: reach a row of globex by its id. Stopped: it is not there.
SELECT attack.gives('U12 FOR UPDATE', 'SELECT count(*) FROM (SELECT FROM shop.accounts WHERE id = 777 FOR UPDATE) s', '0');
DELETE FROM shop.accounts WHERE id = 777;
UPDATE shop.accounts SET note = 'taken' WHERE tenant_id = 'globex';
DELETE FROM agent.feedback WHERE tenant_id = 'globex';
DELETE FROM agent.sessions WHERE session_id = 'foreign';
DELETE FROM agent.files WHERE tenant_id = 'globex';
COMMIT;

-- U13, U14, U17: TRUNCATE, the tables of the registry, sequences. Stopped: no privilege.
SELECT attack.refused('U13 TRUNCATE ' || t, 'TRUNCATE ' || t) FROM unnest('{shop.accounts,shop.bookings,agent.sessions,agent.audit_log}'::text[]) t;
SELECT attack.refused('U14 ' || s, s) FROM unnest(ARRAY['SELECT * FROM tenancy.tenants', 'UPDATE tenancy.tenants SET status = ''suspended''', 'SELECT * FROM tenancy.budgets', 'DELETE FROM tenancy.rate_limits',
    'SELECT tenancy.suspend_tenant(''globex'')', 'SELECT tenancy.add_tenant(''x'', ''y'', ''z'')', 'SELECT * FROM tenancy.check_isolation()']) s;
