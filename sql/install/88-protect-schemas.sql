-- protect_schema(): each table that comes into a schema is protected or refused, by event trigger. The same
-- triggers protect new partitions of protected tables and keep the registry true.

CREATE TABLE tenancy.protected_schemas (
    schema_name   name PRIMARY KEY,
    mode          text NOT NULL CHECK (mode IN ('protect', 'refuse')),
    tenant_column name NOT NULL,
    exempt        regclass[] NOT NULL
);
REVOKE ALL ON TABLE tenancy.protected_schemas FROM PUBLIC;
COMMENT ON TABLE tenancy.protected_schemas IS 'Schemas whose new tables are protected or refused';
COMMENT ON COLUMN tenancy.protected_schemas.exempt IS 'Tables that were there before, not protected';

-- Relations of a schema that could hold rows of tenants and are not behind the wall.
CREATE FUNCTION tenancy.protect_unprotected(schema_name name) RETURNS SETOF regclass
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = schema_name AND c.relkind IN ('r', 'p', 'm', 'f')
      AND NOT EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = c.oid)
    ORDER BY c.relname;
END;
COMMENT ON FUNCTION tenancy.protect_unprotected(name) IS 'Internal: tables of a schema that are not protected';
REVOKE ALL ON FUNCTION tenancy.protect_unprotected(name) FROM PUBLIC;

CREATE FUNCTION tenancy.protect_schema(schema_name name, mode text DEFAULT 'protect', tenant_column name DEFAULT 'tenant_id')
    RETURNS SETOF regclass
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.require(mode IN ('protect', 'refuse'), 'mode is not known', 'Use protect or refuse.');
    PERFORM tenancy.require(EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = schema_name) AND schema_name !~ '^pg_'
            AND schema_name NOT IN ('information_schema', 'tenancy', 'agent'),
        format('schema "%s" cannot be protected', schema_name), 'Name an existing schema of yours.');
    INSERT INTO tenancy.protected_schemas AS s (schema_name, mode, tenant_column, exempt)
        VALUES (protect_schema.schema_name, protect_schema.mode, protect_schema.tenant_column,
                ARRAY(SELECT * FROM tenancy.protect_unprotected(protect_schema.schema_name)))
        ON CONFLICT ON CONSTRAINT protected_schemas_pkey DO UPDATE
        SET mode = excluded.mode, tenant_column = excluded.tenant_column, exempt = excluded.exempt;
    RETURN QUERY SELECT * FROM tenancy.protect_unprotected(protect_schema.schema_name);
END
$$;
COMMENT ON FUNCTION tenancy.protect_schema(name, text, name) IS
    'From now on each table that comes into the schema is protected (mode protect) or refused unless it is protected already (mode refuse). Returns the tables that were there before and are not protected: protect_table() them one by one';
REVOKE ALL ON FUNCTION tenancy.protect_schema(name, text, name) FROM PUBLIC;

CREATE FUNCTION tenancy.unprotect_schema(schema_name name) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM tenancy.protected_schemas s WHERE s.schema_name = unprotect_schema.schema_name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'schema "%" is not protected', schema_name USING ERRCODE = 'undefined_object',
            HINT = 'See tenancy.protected_schemas.';
    END IF;
    RAISE LOG 'role "%" unprotects schema "%"', current_user, schema_name;
END
$$;
COMMENT ON FUNCTION tenancy.unprotect_schema(name) IS 'Ends protect_schema(); tables that are protected stay so';
REVOKE ALL ON FUNCTION tenancy.unprotect_schema(name) FROM PUBLIC;

-- Raises when a change took away what a protected table needs: its column, or one side of an inheritance. Who
-- reads a parent meets the row security of the parent only.
CREATE FUNCTION tenancy.protect_check_changed(changed oid[]) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    broken record;
BEGIN
    SELECT p.relation, p.tenant_column INTO broken FROM tenancy.protected_tables p
    WHERE p.relation = ANY (changed) AND NOT EXISTS (SELECT FROM pg_attribute a
        WHERE a.attrelid = p.relation AND a.attname = p.tenant_column AND a.attnotnull AND a.attgenerated = '');
    IF FOUND THEN
        RAISE EXCEPTION 'table % is protected by its column "%"', broken.relation, broken.tenant_column
            USING ERRCODE = 'object_in_use', HINT = 'The column can be neither renamed nor NULL. Call tenancy.unprotect_table() first.';
    END IF;
    SELECT i.inhrelid::regclass AS child, i.inhparent::regclass AS parent INTO broken
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid AND c.relkind IN ('r', 'p', 'f')
    LEFT JOIN tenancy.protected_tables a ON a.relation = i.inhrelid
    LEFT JOIN tenancy.protected_tables b ON b.relation = i.inhparent
    WHERE (i.inhrelid = ANY (changed) OR i.inhparent = ANY (changed)) AND (a.relation IS NULL) <> (b.relation IS NULL);
    IF FOUND THEN
        RAISE EXCEPTION 'table % and its parent % must both be protected, or none of them', broken.child, broken.parent
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'Who reads a parent meets the row security of the parent only.',
                  HINT = 'Use a partitioned table, and protect it with tenancy.protect_table().';
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.protect_check_changed(oid[]) IS
    'Internal: raises when a change left a protected table without its column, or half of an inheritance unprotected';
REVOKE ALL ON FUNCTION tenancy.protect_check_changed(oid[]) FROM PUBLIC;

CREATE FUNCTION tenancy.protect_new_partitions(root regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.protect_run(s)
    FROM tenancy.protected_tables p, LATERAL tenancy.protect_plan(p.relation, p.tenant_column, NULL, NULL) s
    WHERE p.relation = root AND s.statement IS NOT NULL AND EXISTS (
        SELECT FROM tenancy.protect_tree(root) t (r) JOIN pg_class c ON c.oid = t.r AND c.relkind IN ('r', 'p')
        WHERE NOT EXISTS (SELECT FROM tenancy.protected_tables q WHERE q.relation = t.r));
END
$$;
COMMENT ON FUNCTION tenancy.protect_new_partitions(regclass) IS
    'Internal: protects the partitions that a protected table has got';
REVOKE ALL ON FUNCTION tenancy.protect_new_partitions(regclass) FROM PUBLIC;

CREATE FUNCTION tenancy.protect_new_table(relation regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rule tenancy.protected_schemas;
    kind "char";
BEGIN
    SELECT s.* INTO rule FROM tenancy.protected_schemas s JOIN pg_namespace n ON n.nspname = s.schema_name
        JOIN pg_class c ON c.relnamespace = n.oid
    WHERE c.oid = protect_new_table.relation AND coalesce(pg_partition_root(c.oid), c.oid) <> ALL (s.exempt)
      AND NOT EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = c.oid);
    SELECT c.relkind INTO kind FROM pg_class c WHERE c.oid = protect_new_table.relation;
    IF rule.schema_name IS NULL OR kind NOT IN ('r', 'p', 'm', 'f') THEN
        RETURN;
    ELSIF rule.mode = 'refuse' OR kind IN ('m', 'f') THEN
        RAISE EXCEPTION 'schema "%" takes only protected tables', rule.schema_name USING ERRCODE = 'insufficient_privilege',
            DETAIL = format('%s is not protected by tenancy.protect_table()%s.', relation,
                            CASE WHEN kind IN ('m', 'f') THEN ' and cannot be' ELSE '' END),
            HINT = 'Create it in another schema; after tenancy.protect_table() it can be moved here with ALTER TABLE ... SET SCHEMA.';
    END IF;
    PERFORM tenancy.protect_table(relation, rule.tenant_column);
END
$$;
COMMENT ON FUNCTION tenancy.protect_new_table(regclass) IS
    'Internal: protects or refuses a table that has come into a protected schema';
REVOKE ALL ON FUNCTION tenancy.protect_new_table(regclass) FROM PUBLIC;

-- SECURITY DEFINER because whoever creates a table has no rights here. In the role of a replica event
-- triggers do not fire for the statements of this one.
CREATE FUNCTION tenancy.protect_ddl() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET session_replication_role = replica SET client_min_messages = warning
AS $$
DECLARE
    changed CONSTANT oid[] := ARRAY(SELECT DISTINCT d.objid FROM pg_event_trigger_ddl_commands() d
                                    WHERE d.classid = 'pg_class'::regclass);
BEGIN
    PERFORM tenancy.protect_new_partitions(r.root)
    FROM (SELECT DISTINCT pg_partition_root(c)::regclass FROM unnest(changed) c) r (root);
    PERFORM tenancy.protect_new_table(c.oid) FROM pg_class c WHERE c.oid = ANY (changed);
    PERFORM tenancy.protect_check_changed(changed);
    -- One that is gone for another reason, as in part of a dump, is in nobody's way.
    IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() d WHERE d.command_tag = 'ALTER SCHEMA')
        AND EXISTS (SELECT FROM tenancy.protected_schemas s WHERE NOT EXISTS (
            SELECT FROM pg_namespace n WHERE n.nspname = s.schema_name)) THEN
        RAISE EXCEPTION 'a protected schema cannot be renamed' USING ERRCODE = 'object_in_use',
            HINT = 'Call tenancy.unprotect_schema() before, and tenancy.protect_schema() after.';
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.protect_ddl() IS 'Internal: keeps new tables and partitions behind the wall';
REVOKE ALL ON FUNCTION tenancy.protect_ddl() FROM PUBLIC;

CREATE FUNCTION tenancy.protect_drop() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM tenancy.protected_tables p USING pg_event_trigger_dropped_objects() d
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid = 0 AND p.relation = d.objid;
    UPDATE tenancy.protected_schemas s SET exempt = ARRAY(SELECT e FROM unnest(s.exempt) e
            WHERE EXISTS (SELECT FROM pg_class c WHERE c.oid = e))
        WHERE EXISTS (SELECT FROM unnest(s.exempt) e WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = e));
    DELETE FROM tenancy.protected_schemas s USING pg_event_trigger_dropped_objects() d
        WHERE d.classid = 'pg_namespace'::regclass AND s.schema_name = d.object_name;
END
$$;
COMMENT ON FUNCTION tenancy.protect_drop() IS 'Internal: takes dropped tables and schemas out of the registry';
REVOKE ALL ON FUNCTION tenancy.protect_drop() FROM PUBLIC;
