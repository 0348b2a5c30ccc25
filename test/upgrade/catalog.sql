-- Everything that belongs to the extension, as sorted lines: two databases with the same output have the
-- same extension. Columns are compared by name, since ALTER TABLE can only append; those of composite types by
-- position. Run it with psql -At.
SET search_path = pg_catalog, pg_temp;

CREATE TEMP TABLE member AS
    SELECT d.classid, d.objid, i.type AS kind, i.identity
    FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'pg_tenancy', pg_identify_object(d.classid, d.objid, 0) i
    WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e';

CREATE TEMP TABLE line (kind text, identity text, aspect text, definition text);

INSERT INTO line SELECT kind, identity, 'exists', 'yes' FROM member;
INSERT INTO line SELECT m.kind, m.identity, 'comment', d.description
    FROM member m JOIN pg_description d ON d.classoid = m.classid AND d.objoid = m.objid AND d.objsubid = 0;
INSERT INTO line SELECT m.kind, m.identity, 'initial privilege', a.entry::text
    FROM member m JOIN pg_init_privs p ON p.classoid = m.classid AND p.objoid = m.objid, unnest(p.initprivs) a (entry);

INSERT INTO line SELECT m.kind, m.identity, v.aspect, v.definition
    FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid,
    LATERAL (SELECT 'definition', CASE p.prokind WHEN 'a' THEN 'aggregate' ELSE pg_get_functiondef(p.oid) END
        UNION ALL SELECT 'owner', pg_get_userbyid(p.proowner)
        UNION ALL SELECT 'privilege', a.entry::text FROM unnest(coalesce(p.proacl, acldefault('f', p.proowner))) a (entry)) v (aspect, definition);

INSERT INTO line SELECT m.kind, m.identity, v.aspect, v.definition
    FROM member m JOIN pg_namespace n ON m.classid = 'pg_namespace'::regclass AND n.oid = m.objid,
    LATERAL (SELECT 'owner', pg_get_userbyid(n.nspowner)
        UNION ALL SELECT 'privilege', a.entry::text FROM unnest(n.nspacl) a (entry)) v (aspect, definition);

INSERT INTO line SELECT m.kind, m.identity, v.aspect, v.definition
    FROM member m JOIN pg_type t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid,
    LATERAL (SELECT 'attribute ' || a.attnum, format('%s %s', a.attname, format_type(a.atttypid, a.atttypmod))
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'c' WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL SELECT 'label ' || row_number() OVER (ORDER BY l.enumsortorder), l.enumlabel FROM pg_enum l WHERE l.enumtypid = t.oid
        UNION ALL SELECT 'constraint ' || k.conname, pg_get_constraintdef(k.oid) FROM pg_constraint k WHERE k.contypid = t.oid
        UNION ALL SELECT 'privilege', a.entry::text FROM unnest(t.typacl) a (entry)) v (aspect, definition);

INSERT INTO line SELECT m.kind, m.identity, v.aspect, v.definition
    FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid,
    LATERAL (SELECT 'table', format('%s owner=%s row security=%s forced=%s options=%s persistence=%s', c.relkind, pg_get_userbyid(c.relowner),
            c.relrowsecurity, c.relforcerowsecurity, c.reloptions, c.relpersistence)
        UNION ALL SELECT 'view', pg_get_viewdef(c.oid) WHERE c.relkind IN ('v', 'm')
        UNION ALL SELECT 'sequence', s::text FROM (SELECT q.seqtypid::regtype, q.seqstart, q.seqincrement, q.seqmax, q.seqmin, q.seqcache, q.seqcycle
            FROM pg_sequence q WHERE q.seqrelid = c.oid) s
        UNION ALL SELECT 'privilege', a.entry::text FROM unnest(c.relacl) a (entry)
        UNION ALL SELECT 'dumped', f.condition FROM pg_extension e, unnest(e.extconfig, e.extcondition) f (relation, condition)
            WHERE e.extname = 'pg_tenancy' AND f.relation = c.oid) v (aspect, definition);

INSERT INTO line SELECT m.kind, m.identity, 'column ' || a.attname, format('%s collation=%s not null=%s identity=%s generated=%s default=%s privileges=%s comment=%s',
        format_type(a.atttypid, a.atttypmod), (SELECT l.collname FROM pg_collation l WHERE l.oid = a.attcollation), a.attnotnull, a.attidentity, a.attgenerated,
        (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum), a.attacl,
        col_description(a.attrelid, a.attnum))
    FROM member m JOIN pg_attribute a ON m.classid = 'pg_class'::regclass AND a.attrelid = m.objid AND a.attnum > 0 AND NOT a.attisdropped;

-- What hangs on a table and is no member itself. Comments have no order of their own, so they go with their object.
INSERT INTO line SELECT m.kind, m.identity, v.aspect, v.definition
    FROM member m, LATERAL (
        SELECT 'constraint ' || k.conname, format('%s valid=%s comment=%s', pg_get_constraintdef(k.oid), k.convalidated, obj_description(k.oid, 'pg_constraint'))
        FROM pg_constraint k WHERE k.conrelid = m.objid
        UNION ALL SELECT 'index ' || i.indexrelid::regclass, format('%s valid=%s comment=%s', pg_get_indexdef(i.indexrelid), i.indisvalid, obj_description(i.indexrelid, 'pg_class'))
        FROM pg_index i WHERE i.indrelid = m.objid
        UNION ALL SELECT 'trigger ' || t.tgname, format('%s enabled=%s comment=%s', pg_get_triggerdef(t.oid), t.tgenabled, obj_description(t.oid, 'pg_trigger'))
        FROM pg_trigger t WHERE t.tgrelid = m.objid AND NOT t.tgisinternal
        UNION ALL SELECT 'policy ' || p.polname, format('%s %s to=%s using=%s check=%s comment=%s', p.polcmd, p.polpermissive,
            ARRAY(SELECT coalesce(r.rolname, 'public') FROM unnest(p.polroles) o LEFT JOIN pg_roles r ON r.oid = o ORDER BY 1),
            pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid), obj_description(p.oid, 'pg_policy'))
        FROM pg_policy p WHERE p.polrelid = m.objid
        UNION ALL SELECT 'rule ' || r.rulename, pg_get_ruledef(r.oid) FROM pg_rewrite r WHERE r.ev_class = m.objid AND r.rulename <> '_RETURN'
    ) v (aspect, definition) WHERE m.classid = 'pg_class'::regclass;

INSERT INTO line SELECT m.kind, m.identity, 'definition', format('%s %s enabled=%s tags=%s', t.evtevent, t.evtfoid::regprocedure, t.evtenabled, t.evttags)
    FROM member m JOIN pg_event_trigger t ON m.classid = 'pg_event_trigger'::regclass AND t.oid = m.objid;

-- The registry of protected tables is made by the script; everything else in the tables is data.
INSERT INTO line SELECT 'registry', p.relation::text, 'row', (to_jsonb(p) - 'protected_at')::text FROM tenancy.protected_tables p
    WHERE p.relation::oid IN (SELECT m.objid FROM member m);

SELECT format('%s | %s | %s | %s', kind, identity, aspect, regexp_replace(definition, E'\\s*\n\\s*', ' ', 'g')) FROM line
    ORDER BY kind COLLATE "C", identity COLLATE "C", aspect COLLATE "C", definition COLLATE "C";
