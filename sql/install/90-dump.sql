-- What pg_dump must carry although its tables belong to the extension: everything in them,
-- but for the protected tables that CREATE EXTENSION lists again and those that are gone.

DO $$
DECLARE
    member record;
BEGIN
    FOR member IN
        SELECT c.oid::regclass AS name FROM pg_catalog.pg_class c
        WHERE c.relkind OPERATOR(pg_catalog.=) 'r' AND c.relpersistence OPERATOR(pg_catalog.=) 'p' AND c.relnamespace OPERATOR(pg_catalog.=) ANY (
            ARRAY['tenancy'::regnamespace::oid, 'agent'::regnamespace::oid])
    LOOP
        PERFORM pg_catalog.pg_extension_config_dump(member.name, '');
    END LOOP;
END
$$;

SELECT pg_catalog.pg_extension_config_dump('tenancy.protected_tables', $$
    WHERE relation::pg_catalog.oid IN (SELECT c.oid FROM pg_catalog.pg_class c)
      AND relation::pg_catalog.oid NOT IN (
          SELECT d.objid FROM pg_catalog.pg_depend d
          WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'e')$$);
