-- N: name resolution. Code of the wall must not find names that the attacker made. First line: nothing can be
-- made (REVOKE TEMPORARY, CREATE and USAGE ON LANGUAGE, which the doctor asks for). Second line: the wall's
-- functions are C, BEGIN ATOMIC, or have pg_temp last (checked by test/sql/check_isolation.sql).

-- N1, N2, N4: a temporary table, function, domain or operator that shadows what a definer function names.
SELECT attack.refused('N1 a temporary table', 'CREATE TEMP TABLE turns (tenant_id text)');
SELECT attack.refused('N1 a temporary view', 'CREATE TEMP VIEW turns AS SELECT 1');
SELECT attack.refused('N2 a temporary function', 'CREATE FUNCTION pg_temp.sha256(bytea) RETURNS bytea LANGUAGE sql AS ''SELECT $1''');
SELECT attack.refused('N4 a temporary domain', 'CREATE DOMAIN pg_temp.uuid AS text CHECK (true)');
SELECT attack.refused('N4 a temporary type', 'CREATE TYPE pg_temp.jsonb AS (a int)');
SELECT attack.refused('N4 a temporary operator', 'CREATE OPERATOR pg_temp.= (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_catalog.texteq)');

-- N3, N6: what was parsed at creation does not look again. A search path of our own changes nothing.
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme') \g /dev/null
SET LOCAL search_path = pg_temp, shop, agent, tenancy, pg_catalog;
SELECT attack.gives('N3 N6 a search path of our own moves no policy', 'SELECT count(*) FROM shop.accounts WHERE tenant_id <> ''acme''', '0');
SELECT attack.gives('N3 and no route', format('SELECT (agent.get_session(%L, ''{"session_id": "foreign"}'')).status', :'token_acme'), '404');
COMMIT;

-- N5, N7, N8, N10: objects in a schema of our own or in public.
SELECT attack.refused('N5 N8 a schema', 'CREATE SCHEMA attack_app');
SELECT attack.refused('N10 a table in ' || s, format('CREATE TABLE %I.accounts ()', s)) FROM unnest('{public,shop,agent,tenancy,pg_catalog}'::text[]) s;
SELECT attack.refused('N7 an operator in public', 'CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_catalog.texteq)');
SELECT attack.refused('N7 a function in public', 'CREATE FUNCTION public.current_tenant() RETURNS text LANGUAGE internal AS ''version''');

-- N11, N12: trusted extensions, casts, operator classes, base types, LEAKPROOF. PostgreSQL refuses each.
SELECT attack.refused('N11 extension ' || e, 'CREATE EXTENSION ' || e) FROM unnest('{hstore,citext,pgcrypto,dblink,postgres_fdw,file_fdw}'::text[]) e;
SELECT attack.refused('N12 ' || s, s, '42501 42P17 42883 42P13 0A000') FROM unnest(ARRAY['CREATE CAST (text AS int) WITH INOUT', 'CREATE TYPE shop.t (INPUT = textin, OUTPUT = textout)',
    'CREATE OPERATOR CLASS shop.c DEFAULT FOR TYPE text USING btree AS STORAGE text', 'ALTER FUNCTION attack.holds(text, boolean) LEAKPROOF',
    'ALTER FUNCTION tenancy.current_tenant() IMMUTABLE', 'CREATE LANGUAGE plpython3u', 'CREATE EVENT TRIGGER t ON ddl_command_start EXECUTE FUNCTION x()']) s;
