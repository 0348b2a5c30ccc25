-- How many files a tenant may keep, how large, and of which types. Without a row nobody uploads.

CREATE TABLE tenancy.file_quotas (
    tenant_id          text COLLATE "C" PRIMARY KEY
        CHECK (tenant_id = '*' OR tenant_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$'),
    max_bytes          bigint CHECK (max_bytes >= 0),
    max_files          bigint CHECK (max_files >= 0),
    max_file_bytes     bigint CHECK (max_file_bytes >= 0),
    allowed_mime_types text[],
    changed_at         timestamptz NOT NULL DEFAULT now()
);
REVOKE ALL ON TABLE tenancy.file_quotas FROM PUBLIC;
COMMENT ON TABLE tenancy.file_quotas IS
    'Quotas of files; the row * is for every tenant without one of its own; NULL = no such limit. '
    'A tenant with max_bytes 0, or with no row at all, cannot upload';
COMMENT ON COLUMN tenancy.file_quotas.allowed_mime_types IS 'In lower case, without parameters: text/plain';

CREATE FUNCTION tenancy.set_file_quota(
        tenant_id text DEFAULT NULL, max_bytes bigint DEFAULT NULL, max_files bigint DEFAULT NULL,
        max_file_bytes bigint DEFAULT NULL, allowed_mime_types text[] DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    who CONSTANT text := coalesce(tenant_id, '*');
BEGIN
    PERFORM tenancy.require(who = '*' OR EXISTS (SELECT FROM tenancy.tenants t WHERE t.tenant_id = who),
        format('tenant "%s" is not registered', left(who, 100)),
        'See tenancy.tenants, or give NULL for the default of all tenants.');
    PERFORM tenancy.require(least(max_bytes, max_files, max_file_bytes, 0) >= 0,
        'a file quota is negative', 'Use 0 or more, or NULL for no limit; max_bytes 0 switches uploads off.');
    PERFORM tenancy.require((SELECT bool_and(m ~ '^[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}$')
            FROM unnest(allowed_mime_types || 'a/b'::text) m),
        'a MIME type is not valid', 'Use the form type/subtype in lower case without parameters, such as text/plain.');
    INSERT INTO tenancy.file_quotas VALUES (who, max_bytes, max_files, max_file_bytes, allowed_mime_types, clock_timestamp())
    ON CONFLICT ON CONSTRAINT file_quotas_pkey DO UPDATE SET
        max_bytes = excluded.max_bytes, max_files = excluded.max_files, max_file_bytes = excluded.max_file_bytes,
        allowed_mime_types = excluded.allowed_mime_types, changed_at = excluded.changed_at;
END
$$;
COMMENT ON FUNCTION tenancy.set_file_quota(text, bigint, bigint, bigint, text[]) IS
    'Lets a tenant (NULL: the default of all) keep files: max_bytes and max_files together, max_file_bytes each, types by the '
    'list; NULL = no such limit; max_bytes 0 switches uploads off. Counts for the next upload; what is stored stays';
REVOKE ALL ON FUNCTION tenancy.set_file_quota(text, bigint, bigint, bigint, text[]) FROM PUBLIC;
