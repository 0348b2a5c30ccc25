-- What pg_dump must carry although its tables belong to the extension: everything in them.

DO $$
DECLARE
    member record;
BEGIN
    FOR member IN
        SELECT c.oid::regclass AS name FROM pg_catalog.pg_class c
        WHERE c.relkind OPERATOR(pg_catalog.=) 'r' AND c.relnamespace OPERATOR(pg_catalog.=) ANY (
            ARRAY['tenancy'::regnamespace::oid, 'agent'::regnamespace::oid])
    LOOP
        PERFORM pg_catalog.pg_extension_config_dump(member.name, '');
    END LOOP;
END
$$;
