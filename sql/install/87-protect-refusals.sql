-- What protect_table() refuses, each with the reason and the way out. Reads the catalog only.

CREATE FUNCTION tenancy.protect_table_refusals(target regclass) RETURNS TABLE (reason text, advice text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT r.reason, r.advice
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, LATERAL (VALUES
        (c.relkind = 'v', 'it is a view', format(
            'Protect the tables under it, and ALTER VIEW %s SET (security_invoker = true).', c.oid::regclass)),
        (c.relkind = 'm', 'it is a materialized view, which cannot have row security',
            'Protect its tables, and let no application role read it.'),
        (c.relkind = 'f', 'it is a foreign table, which cannot have row security',
            'Protect the table on its own server.'),
        (c.relkind NOT IN ('r', 'p', 'v', 'm', 'f'), 'it is not a table', 'Name a table.'),
        (c.relpersistence = 't', 'it is a temporary table', 'Nobody else can read it.'),
        (c.oid < 16384 OR n.nspname IN ('pg_catalog', 'information_schema', 'pg_toast'), 'it is a system table', 'Name a table of yours.'),
        (EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'),
            'it belongs to an extension', 'Leave it to the extension, or let no application role read it.'),
        (c.relispartition, 'it is a partition', format(
            'Protect %s: that protects all its partitions, later ones too.', pg_partition_root(c.oid))),
        (NOT c.relispartition AND c.relkind = 'r' AND EXISTS (
                SELECT FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)),
            'it inherits or is inherited from: reading a parent skips the row security of its children',
            'Make it a partitioned table, or end the inheritance with ALTER TABLE ... NO INHERIT.'),
        (c.relkind = 'p' AND EXISTS (SELECT FROM tenancy.protect_tree(c.oid) t (r) JOIN pg_class p ON p.oid = t.r WHERE p.relkind = 'f'),
            'one of its partitions is a foreign table, which cannot have row security', 'Detach that partition.'),
        (c.relkind IN ('r', 'p') AND EXISTS (SELECT FROM pg_rewrite w
                WHERE w.ev_class IN (SELECT t.r FROM tenancy.protect_tree(c.oid) t (r))),
            'it has a rule, which would write with other rights than the tenant''s',
            'Drop the rule, or make it a trigger.'),
        (EXISTS (SELECT FROM tenancy.app_roles a JOIN pg_roles r ON r.rolname = a.role_name
                 WHERE pg_has_role(r.oid, c.relowner, 'MEMBER')),
            format('application role can act as its owner %I', pg_get_userbyid(c.relowner)),
            format('ALTER TABLE %s OWNER TO a role that no application logs in as.', c.oid::regclass))
    ) r (holds, reason, advice)
    WHERE c.oid = target AND r.holds;
END;
COMMENT ON FUNCTION tenancy.protect_table_refusals(regclass) IS
    'Why a relation cannot be protected, and what to do about it; no row: it can';
REVOKE ALL ON FUNCTION tenancy.protect_table_refusals(regclass) FROM PUBLIC;

CREATE FUNCTION tenancy.protect_column_refusals(target regclass, tenant_column name)
    RETURNS TABLE (reason text, advice text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT r.reason, r.advice
    FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = tenant_column AND NOT a.attisdropped,
    LATERAL (VALUES
        (a.attname IS NULL AND c.reloftype <> 0, 'it is a table OF a type and has no such column', 'Add the column to the type.'),
        (a.attnum < 0, 'the column is a system column', 'Name another one.'),
        (a.attnum > 0 AND a.atttypid <> 'text'::regtype, format('its column %I is of type %s, not text', tenant_column, format_type(a.atttypid, a.atttypmod)),
            format('ALTER TABLE %s ALTER COLUMN %I TYPE text COLLATE pg_catalog."C" USING %2$I::text', target, tenant_column)),
        (a.atttypid = 'text'::regtype AND a.attcollation <> 'pg_catalog."C"'::regcollation,
            format('its column %I has a collation by which different tenants may be equal, not "C"', tenant_column),
            format('ALTER TABLE %s ALTER COLUMN %I TYPE text COLLATE pg_catalog."C"', target, tenant_column)),
        (a.attgenerated <> '', format('its column %I is generated', tenant_column),
            format('ALTER TABLE %s ALTER COLUMN %I DROP EXPRESSION', target, tenant_column)),
        (EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = c.oid AND p.tenant_column <> protect_column_refusals.tenant_column),
            'it is protected already, by another column', format('SELECT tenancy.unprotect_table(%L)', target))
    ) r (holds, reason, advice)
    WHERE c.oid = target AND r.holds;
END;
COMMENT ON FUNCTION tenancy.protect_column_refusals(regclass, name) IS
    'Why a column cannot be the tenant column, and what to do about it; no row: it can';
REVOKE ALL ON FUNCTION tenancy.protect_column_refusals(regclass, name) FROM PUBLIC;

-- The backfill must change nothing but the tenant. Triggers are off where the caller may set
-- session_replication_role; those that fire nevertheless are refused.
CREATE FUNCTION tenancy.protect_backfill_refusals(target regclass, tenant_column name) RETURNS TABLE (reason text, advice text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT format('trigger %I of %s would fire on the backfill', t.tgname, t.tgrelid::regclass),
        format('ALTER TABLE %s DISABLE TRIGGER %I', t.tgrelid::regclass, t.tgname)
            || CASE WHEN t.tgenabled = 'O' THEN ', or have a superuser call protect_table()' ELSE '' END
    FROM pg_trigger t
    WHERE t.tgrelid IN (SELECT m.r FROM tenancy.protect_tree(target) m (r)) AND NOT t.tgisinternal
      AND t.tgtype & 16 <> 0 -- UPDATE
      AND t.tgenabled = ANY (CASE WHEN has_parameter_privilege('session_replication_role', 'SET')
                                  THEN '{A,R}'::"char"[] ELSE '{A,O}' END)
    UNION ALL
    SELECT format('its column %I is part of foreign key %I, which the backfill would not check', tenant_column, k.conname),
        'Fill the column by UPDATE before.'
    FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attname = tenant_column
    WHERE k.conrelid = target AND k.contype = 'f' AND a.attnum = ANY (k.conkey);
END;
COMMENT ON FUNCTION tenancy.protect_backfill_refusals(regclass, name) IS
    'Triggers that would fire, and foreign keys that would not be checked, while rows get their tenant';
REVOKE ALL ON FUNCTION tenancy.protect_backfill_refusals(regclass, name) FROM PUBLIC;

-- Whether rows still have to get their tenant, by UPDATE.
CREATE FUNCTION tenancy.protect_backfills(target regclass, tenant_column name, backfill_tenant text, backfill_query text) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT coalesce((SELECT NOT a.attnotnull AND coalesce(backfill_tenant, backfill_query) IS NOT NULL FROM pg_attribute a
        WHERE a.attrelid = target AND a.attname = tenant_column AND NOT a.attisdropped), backfill_query IS NOT NULL);
END;
COMMENT ON FUNCTION tenancy.protect_backfills(regclass, name, text, text) IS 'Internal: whether the backfill updates rows';
REVOKE ALL ON FUNCTION tenancy.protect_backfills(regclass, name, text, text) FROM PUBLIC;

-- Raises 42501 or 55000 when the caller may not protect the table or it cannot be.
CREATE FUNCTION tenancy.protect_require(target regclass, tenant_column name, backfills boolean) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reasons text;
    advices text;
BEGIN
    IF target IS NULL OR tenant_column IS NULL THEN
        RAISE EXCEPTION 'protect_table() needs a table and the name of its tenant column'
            USING ERRCODE = 'null_value_not_allowed';
    END IF;
    PERFORM tenancy.protect_require_owner(target);
    SELECT string_agg(r.reason, E'\n'), string_agg(DISTINCT r.advice, E'\n') INTO reasons, advices FROM (
        SELECT * FROM tenancy.protect_table_refusals(target)
        UNION ALL SELECT * FROM tenancy.protect_column_refusals(target, tenant_column)
        UNION ALL SELECT * FROM tenancy.protect_backfill_refusals(target, tenant_column) WHERE backfills) r;
    IF reasons IS NOT NULL THEN
        RAISE EXCEPTION 'table % cannot be protected', target
            USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = reasons, HINT = advices;
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.protect_require(regclass, name, boolean) IS
    'Internal: raises unless the caller may protect the table and it can be protected';
REVOKE ALL ON FUNCTION tenancy.protect_require(regclass, name, boolean) FROM PUBLIC;

CREATE FUNCTION tenancy.protect_require_owner(target regclass) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = target AND pg_has_role(c.relowner, 'USAGE')) THEN
        RAISE EXCEPTION 'must be owner of table %', target USING ERRCODE = 'insufficient_privilege',
            HINT = 'Call it as the table''s owner, a member of that role, or a superuser.';
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.protect_require_owner(regclass) IS
    'Internal: raises 42501 unless the caller can act as the table''s owner';
REVOKE ALL ON FUNCTION tenancy.protect_require_owner(regclass) FROM PUBLIC;
