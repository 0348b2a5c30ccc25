-- grant_app() gives an existing role exactly what it needs, and refuses one that could walk around.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
SET client_min_messages = warning;
\set VERBOSITY default
SELECT tenancy.grant_app('regress_nobody_there');
CREATE ROLE regress_bypass BYPASSRLS;
CREATE ROLE regress_member LOGIN IN ROLE regress_bypass;
CREATE ROLE regress_deep LOGIN IN ROLE regress_member;
CREATE ROLE regress_creator CREATEROLE;
CREATE ROLE regress_files IN ROLE pg_read_server_files;
CREATE ROLE regress_reader IN ROLE pg_read_all_data;
CREATE ROLE regress_owner;
CREATE TABLE public.owned (tenant_id text);
ALTER TABLE public.owned ENABLE ROW LEVEL SECURITY, OWNER TO regress_owner;
SELECT tenancy.grant_app('regress_bypass');
SELECT tenancy.grant_app('regress_deep');
SELECT tenancy.grant_app('regress_creator');
SELECT tenancy.grant_app('regress_files');
SELECT tenancy.grant_app('regress_reader');
SELECT tenancy.grant_app('regress_owner');
SELECT count(*) > 0 AS superuser_objected FROM tenancy.app_role_objections(current_user);
SELECT role_name FROM tenancy.app_roles;

-- who can run for tenants cannot keep the house, and the other way round, whoever is a member of whom
CREATE ROLE regress_keeper LOGIN;
CREATE ROLE regress_keeper_group;
CREATE ROLE regress_keeper_member LOGIN NOINHERIT IN ROLE regress_keeper_group;
CREATE ROLE regress_app_group;
SELECT tenancy.grant_maintenance('regress_nobody_there');
SELECT tenancy.grant_maintenance('regress_keeper');
SELECT tenancy.grant_maintenance('regress_keeper_group');
SELECT tenancy.grant_app('regress_keeper');
SELECT tenancy.grant_app('regress_keeper_member');
GRANT regress_keeper TO regress_app;
SELECT tenancy.grant_app('regress_app');
REVOKE regress_keeper FROM regress_app;
GRANT regress_app_group TO regress_app;
SELECT tenancy.grant_maintenance('regress_app');
SELECT tenancy.grant_maintenance('regress_app_group');
GRANT regress_app TO regress_keeper_member;
SELECT tenancy.grant_maintenance('regress_keeper_member');
REVOKE regress_app FROM regress_keeper_member;
-- a role that has an application role's privileges is one, though not by its name in tenancy.app_roles
CREATE ROLE regress_once;
SELECT tenancy.grant_app('regress_once');
DELETE FROM tenancy.app_roles WHERE role_name = 'regress_once';
SELECT tenancy.grant_maintenance('regress_once');
SELECT tenancy.revoke_app('regress_once');
SELECT tenancy.grant_maintenance('regress_once');
SELECT tenancy.revoke_app(r) FROM unnest('{regress_keeper,regress_keeper_group,regress_once}'::text[]) r;
SELECT role_name FROM tenancy.app_roles;
DROP ROLE regress_keeper_member, regress_keeper_group, regress_keeper, regress_app_group, regress_once;

-- exactly the listed privileges: nothing else in either schema is open to it
SELECT c.oid::regclass AS tables, string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type) AS privileges
    FROM pg_class c, LATERAL aclexplode(c.relacl) a
    WHERE c.relnamespace IN ('tenancy'::regnamespace, 'agent'::regnamespace)
      AND a.grantee = 'regress_app'::regrole GROUP BY c.oid ORDER BY 1::text;
SELECT count(*) AS open_to_public FROM pg_class c, LATERAL aclexplode(c.relacl) a
    WHERE c.relnamespace IN ('tenancy'::regnamespace, 'agent'::regnamespace) AND a.grantee = 0;
SELECT p.oid::regprocedure AS function_open_to_public FROM pg_proc p
    WHERE p.pronamespace IN ('tenancy'::regnamespace, 'agent'::regnamespace)
      AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0));

-- and what was given can be taken back
SELECT tenancy.revoke_app('regress_app');
SELECT count(*) FROM pg_class c, LATERAL aclexplode(c.relacl) a WHERE a.grantee = 'regress_app'::regrole;
SELECT tenancy.grant_app('regress_app');
DROP TABLE public.owned;
DROP ROLE regress_deep, regress_member, regress_bypass, regress_creator, regress_files, regress_reader, regress_owner;
