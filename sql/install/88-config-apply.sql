-- The administrators' side of the configuration: how it stands, and how a file would change it.

CREATE FUNCTION tenancy.config_state() RETURNS TABLE (object text, name text, state jsonb)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 'issuer', i.issuer, to_jsonb(i) - '{issuer,created_at,keys_until}'::text[] FROM tenancy.issuers i
    UNION ALL
    SELECT 'key', concat_ws(' ', k.issuer, nullif(k.kid, ''), k.thumbprint),
        jsonb_build_object('issuer', k.issuer, 'algorithm', k.algorithm, 'state', k.state) FROM tenancy.signing_keys k
    UNION ALL
    SELECT 'tenant', t.tenant_id, jsonb_build_object('state', t.status, 'claims', ARRAY(
        SELECT c.claim_value || ' of ' || c.issuer FROM tenancy.tenant_claims c WHERE c.tenant_id = t.tenant_id ORDER BY 1))
    FROM tenancy.tenants t
    UNION ALL
    SELECT 'rate limit', l.tenant_id, to_jsonb(l) - '{tenant_id,changed_at}'::text[] FROM tenancy.rate_limits l
    UNION ALL
    SELECT 'file quota', q.tenant_id, to_jsonb(q) - '{tenant_id,changed_at}'::text[] FROM tenancy.file_quotas q
    UNION ALL -- a budget for a time only is not a file's business
    SELECT 'budget', format('%s %s per %s', b.tenant_id, b.scope, b.period), jsonb_build_object(
        'limit_usd', trim_scale(b.limit_picodollars * 0.000000000001), 'limit_tokens', b.limit_tokens,
        'warn_ratio', trim_scale(b.warn_ratio), 'mode', b.mode, 'time_zone', b.time_zone)
    FROM tenancy.budgets b WHERE b.valid_from = '-infinity' AND b.valid_until = 'infinity'
    UNION ALL
    SELECT 'price', p.model, jsonb_build_object(
        'input_usd_per_mtok', trim_scale(p.input * 0.000001), 'output_usd_per_mtok', trim_scale(p.output * 0.000001),
        'cached_input_usd_per_mtok', trim_scale(p.cached_input * 0.000001),
        'cache_write_usd_per_mtok', trim_scale(p.cache_write * 0.000001),
        'reasoning_usd_per_mtok', trim_scale(p.reasoning * 0.000001),
        'per_request_usd', trim_scale(p.per_request * 0.000000000001))
    FROM tenancy.prices p
    WHERE p.valid_from = (SELECT max(x.valid_from) FROM tenancy.prices x
                          WHERE x.model = p.model AND x.valid_from <= clock_timestamp());
END;
COMMENT ON FUNCTION tenancy.config_state() IS
    'Internal: issuers, keys, tenants, limits, quotas and prices as they are now; tenant * is the default of all';
REVOKE ALL ON FUNCTION tenancy.config_state() FROM PUBLIC;

CREATE FUNCTION tenancy.config_diff(was jsonb, becomes jsonb, named jsonb, OUT action text, OUT object text,
        OUT name text, OUT before jsonb, OUT after jsonb) RETURNS SETOF record
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH things AS (
        SELECT object, name, b.state AS before, a.state AS after, n.name IS NOT NULL AS is_named
        FROM jsonb_to_recordset(was) b (object text, name text, state jsonb)
        FULL JOIN jsonb_to_recordset(becomes) a (object text, name text, state jsonb) USING (object, name)
        LEFT JOIN (SELECT DISTINCT x.object, x.name FROM jsonb_to_recordset(named) x (object text, name text)) n
            USING (object, name)
    )
    SELECT CASE WHEN before IS NULL THEN 'add' WHEN after IS NULL THEN 'remove'
                WHEN before <> after THEN 'change' WHEN is_named THEN 'keep' ELSE 'left alone' END,
           object, name, before, after
    FROM things
    WHERE object <> 'key' OR is_named OR before IS DISTINCT FROM after
    ORDER BY array_position('{issuer,key,tenant,rate limit,budget,file quota,price}', object), name COLLATE "C";
END;
COMMENT ON FUNCTION tenancy.config_diff(jsonb, jsonb, jsonb) IS
    'Internal: compares two states; named are the things of the file, which are kept when equal';
REVOKE ALL ON FUNCTION tenancy.config_diff(jsonb, jsonb, jsonb) FROM PUBLIC;

-- An application role that was given EXECUTE by mistake could set its own limits.
CREATE FUNCTION tenancy.refuse_application_role() RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    who CONSTANT text := coalesce(nullif(current_setting('role'), 'none'), session_user);
BEGIN
    IF EXISTS (SELECT FROM tenancy.check_app_roles() k WHERE k.role_name = who) THEN
        RAISE EXCEPTION 'role "%" is an application role and may not configure anything', who
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'Connect as an administrator. The role that serves requests can change no limit, price or issuer.';
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.refuse_application_role() IS 'Internal: raises 42501 for application roles';
REVOKE ALL ON FUNCTION tenancy.refuse_application_role() FROM PUBLIC;

CREATE FUNCTION tenancy.apply_config(config jsonb, dry_run boolean DEFAULT true, OUT action text,
        OUT object text, OUT name text, OUT before jsonb, OUT after jsonb) RETURNS SETOF record
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    was     jsonb;
    becomes jsonb;
    named   jsonb;
    twice   text;
BEGIN
    PERFORM tenancy.refuse_application_role();
    PERFORM tenancy.require(jsonb_typeof(config) = 'object', 'the configuration is not an object',
        'Give {"tenancy": ..., "pricing": ..., "budget": ..., "model": ..., "fallback_models": ...}, each optional.');
    LOCK TABLE tenancy.issuers IN SHARE ROW EXCLUSIVE MODE; -- one at a time
    was := (SELECT jsonb_agg(to_jsonb(s)) FROM tenancy.config_state() s);
    BEGIN
        named := (SELECT coalesce(jsonb_agg(to_jsonb(w)), '[]') FROM tenancy.write_config(jsonb_strip_nulls(config)) w);
        becomes := (SELECT jsonb_agg(to_jsonb(s)) FROM tenancy.config_state() s);
        SELECT n->>'object' || ' ' || (n->>'name') INTO twice FROM jsonb_array_elements(named) n
            WHERE n->>'object' <> 'tenant' GROUP BY n HAVING count(*) > 1 ORDER BY 1 LIMIT 1;
        PERFORM tenancy.require(twice IS NULL, format('"%s" is configured twice', left(twice, 200)), 'Keep one of them.');
        IF dry_run IS DISTINCT FROM false THEN
            RAISE EXCEPTION SQLSTATE 'TNDRY'; -- undoes the block; the variables stay
        END IF;
    EXCEPTION WHEN SQLSTATE 'TNDRY' THEN NULL;
    END;
    RETURN QUERY SELECT d.* FROM tenancy.config_diff(coalesce(was, '[]'), coalesce(becomes, '[]'), named) d;
    RETURN QUERY
        SELECT DISTINCT 'unpriced', 'price', m.model, NULL::jsonb, NULL::jsonb
        FROM unnest(tenancy.config_texts(config->'model') || tenancy.config_texts(config->'fallback_models')) m(model)
        WHERE NOT EXISTS (SELECT FROM jsonb_to_recordset(becomes) b (object text, name text)
                          WHERE b.object = 'price' AND b.name = m.model);
END
$$;
COMMENT ON FUNCTION tenancy.apply_config(jsonb, boolean) IS
    'Writes issuers, keys, tenants, limits, quotas and prices as a configuration says, all or nothing, or with dry_run only tells what that would change; one row per thing; what the configuration does not name is left alone. Administrators only';
REVOKE ALL ON FUNCTION tenancy.apply_config(jsonb, boolean) FROM PUBLIC;
