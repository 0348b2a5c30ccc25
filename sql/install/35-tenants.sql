-- Tenants, for administrators.

CREATE FUNCTION tenancy.add_tenant(tenant_id text, issuer text, claim_value text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    owner text;
BEGIN
    PERFORM tenancy.lock_issuer(add_tenant.issuer);
    PERFORM tenancy.require(add_tenant.tenant_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$',
        format('tenant id "%s" is not usable', left(add_tenant.tenant_id, 100)),
        'Use 1 to 128 letters, digits and . _ : - and begin with a letter or digit.');
    PERFORM tenancy.require(octet_length(add_tenant.claim_value) BETWEEN 1 AND 255
            AND add_tenant.claim_value !~ '[[:cntrl:]]' AND add_tenant.claim_value = btrim(add_tenant.claim_value),
        format('claim value of tenant "%s" is not usable', add_tenant.tenant_id),
        'Give the value of the issuer''s tenant claim: 1 to 255 bytes, no control characters, no space at either end.');
    INSERT INTO tenancy.tenants (tenant_id) VALUES (add_tenant.tenant_id)
        ON CONFLICT ON CONSTRAINT tenants_pkey DO NOTHING;
    INSERT INTO tenancy.tenant_claims (issuer, claim_value, tenant_id)
        VALUES (add_tenant.issuer, add_tenant.claim_value, add_tenant.tenant_id)
        ON CONFLICT ON CONSTRAINT tenant_claims_pkey DO NOTHING;
    SELECT c.tenant_id INTO owner FROM tenancy.tenant_claims c
        WHERE c.issuer = add_tenant.issuer AND c.claim_value = add_tenant.claim_value;
    IF owner IS DISTINCT FROM add_tenant.tenant_id THEN
        RAISE EXCEPTION 'claim value "%" of issuer "%" already names another tenant',
                        left(add_tenant.claim_value, 100), left(add_tenant.issuer, 100)
            USING ERRCODE = 'unique_violation',
                  DETAIL = format('It names tenant "%s".', owner),
                  HINT = 'One claim value of one issuer names one tenant. Choose another value.';
    END IF;
    RETURN add_tenant.tenant_id;
END
$$;
COMMENT ON FUNCTION tenancy.add_tenant(text, text, text) IS
    'Registers a tenant under the claim value of one issuer; again for another issuer adds that one; repeating it changes nothing';
REVOKE ALL ON FUNCTION tenancy.add_tenant(text, text, text) FROM PUBLIC;

CREATE FUNCTION tenancy.set_tenant_status(p_tenant_id text, p_status text, p_reason text)
    RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE tenancy.tenants t SET status = p_status, reason = p_reason,
        suspended_at = CASE WHEN p_status = 'suspended'
                            THEN coalesce(t.suspended_at, clock_timestamp()) END
    WHERE t.tenant_id = p_tenant_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'tenant "%" is not registered', left(p_tenant_id, 100)
            USING ERRCODE = 'undefined_object', HINT = 'See tenancy.tenants, or add it with tenancy.add_tenant().';
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.set_tenant_status(text, text, text) IS 'Internal: suspend and resume';
REVOKE ALL ON FUNCTION tenancy.set_tenant_status(text, text, text) FROM PUBLIC;

CREATE FUNCTION tenancy.suspend_tenant(tenant_id text, reason text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.set_tenant_status(tenant_id, 'suspended', reason);
END
$$;
COMMENT ON FUNCTION tenancy.suspend_tenant(text, text) IS
    'Refuses every token of the tenant from the next statement of every session on; its data stays';
REVOKE ALL ON FUNCTION tenancy.suspend_tenant(text, text) FROM PUBLIC;

CREATE FUNCTION tenancy.resume_tenant(tenant_id text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.set_tenant_status(tenant_id, 'active', NULL);
END
$$;
COMMENT ON FUNCTION tenancy.resume_tenant(text) IS 'Ends a suspension';
REVOKE ALL ON FUNCTION tenancy.resume_tenant(text) FROM PUBLIC;
