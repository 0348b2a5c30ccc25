-- P: privileged code and the owner's powers. Whoever can change a table's policies is past the wall; an
-- application role owns nothing and has no privilege but on rows.
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme') \g /dev/null

-- P1: read through a view of the table's owner. Stopped: FORCE, so the policy holds for the owner.
SELECT attack.gives('P1 a view of the owner shows own rows only', 'SELECT count(*) FROM shop.rich WHERE tenant_id <> ''acme''', '0');

-- P12: a second, permissive policy that a developer added ("support may see that one"). Stopped: the tenant's is
-- RESTRICTIVE, so what is added can only narrow.
SELECT attack.gives('P12 a permissive policy widens nothing', 'SELECT count(*) FROM shop.bookings WHERE tenant_id <> ''acme''', '0');

-- P13: a permissive policy WITH CHECK (true). Stopped as P12.
SELECT attack.refused('P13 an insert for globex', 'INSERT INTO shop.entries VALUES (''globex'', 4711, 777)');
COMMIT;

-- P14, P15: the powers of an owner. Stopped: the application role owns nothing.
SELECT attack.refused('P14 P15 ' || format(s, t), format(s, t), '42501 42704 42703') FROM unnest('{shop.accounts,agent.messages,agent.sessions}'::text[]) t, unnest(ARRAY[
    'ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', 'ALTER TABLE %s DISABLE ROW LEVEL SECURITY', 'ALTER TABLE %s DISABLE TRIGGER ALL', 'ALTER TABLE %s OWNER TO attack_app',
    'DROP POLICY tenant_wall ON %s', 'CREATE POLICY mine ON %s USING (true)', 'ALTER POLICY tenant_wall ON %s USING (true)', 'CREATE INDEX ON %s (tenant_id)',
    'CREATE RULE r AS ON SELECT TO %s DO INSTEAD SELECT 1', 'DROP TABLE %s', 'ALTER TABLE %s ADD COLUMN x int', 'CREATE STATISTICS s ON tenant_id, id FROM %s']) s;
SELECT attack.refused('P15 the wall''s own functions', 'CREATE OR REPLACE FUNCTION tenancy.current_tenant() RETURNS text LANGUAGE internal STABLE AS ''version''');
SELECT attack.refused('P15 an extension''s member', 'DROP EXTENSION pg_tenancy');

-- P18: a trigger that runs in the next tenant's INSERT. Stopped: no TRIGGER privilege, and no function to call.
SELECT attack.refused('P18 a trigger on ' || t, format('CREATE TRIGGER t BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()', t))
    FROM unnest('{shop.accounts,agent.sessions,agent.feedback}'::text[]) t;

-- P19: a foreign key of our own that tells which ids exist and keeps them from being deleted. Stopped: no table of
-- our own, no REFERENCES.
SELECT attack.refused('P19 a referring table', 'CREATE TABLE public.spy (id int REFERENCES shop.accounts (id))', '42501 42830');
SELECT attack.holds('P19 no REFERENCES on ' || t, NOT has_table_privilege(t, 'REFERENCES') AND NOT has_any_column_privilege(t, 'REFERENCES'))
    FROM unnest('{shop.accounts,agent.sessions,agent.feedback}'::text[]) t;

-- P20: files, programs, large objects from files, replication slots, settings of the server. Refused by PostgreSQL.
SELECT attack.refused('P20 ' || s, s, '42501 55000') FROM unnest(ARRAY['SELECT pg_read_file(''/etc/hostname'')', 'SELECT pg_ls_dir(''.'')', 'SELECT lo_import(''/etc/hostname'')',
    'COPY (SELECT 1) TO PROGRAM ''true''', 'COPY (SELECT 1) TO ''/tmp/attack''', 'COPY shop.accounts FROM ''/etc/hostname''', 
    'SELECT pg_create_logical_replication_slot(''s'', ''pgoutput'')', 'SELECT pg_reload_conf()', 'SELECT pg_switch_wal()', 'SELECT pg_stat_reset()', 'CHECKPOINT']) s;

-- P21: a connection back to the database as somebody else. No such extension, no server, no privilege to make one.
SELECT attack.refused('P21 ' || s, s, '42501 42883 42704') FROM unnest(ARRAY['SELECT dblink(''dbname=postgres'', ''SELECT 1'')', 'CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw',
    'CREATE SUBSCRIPTION s CONNECTION ''dbname=postgres'' PUBLICATION p WITH (connect = false)', 'CREATE PUBLICATION p FOR TABLE shop.accounts']) s;
