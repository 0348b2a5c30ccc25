-- What a configuration file says of issuers, tenants, limits and prices, written in one transaction. All
-- writing is done by the administrators' functions above; what changed is told by looking before and
-- after. So nothing is checked or described in a second place, and a dry run refuses what the real one would.

CREATE FUNCTION tenancy.check_config_keys(block jsonb, path text, known text[]) RETURNS void
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stranger text;
BEGIN
    PERFORM tenancy.require(coalesce(jsonb_typeof(block), 'object') = 'object', path || ' is not an object',
        'Give an object with some of: ' || array_to_string(known, ', '));
    SELECT k INTO stranger FROM jsonb_object_keys(block) k WHERE k <> ALL (known) ORDER BY k LIMIT 1;
    PERFORM tenancy.require(stranger IS NULL, format('%s has an unknown key "%s"', path, left(stranger, 100)),
        'Known are: ' || array_to_string(known, ', '));
END
$$;
COMMENT ON FUNCTION tenancy.check_config_keys(jsonb, text, text[]) IS
    'Internal: raises 22023 when a block of the configuration has another key';
REVOKE ALL ON FUNCTION tenancy.check_config_keys(jsonb, text, text[]) FROM PUBLIC;

CREATE FUNCTION tenancy.config_texts(value jsonb) RETURNS text[]
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE jsonb_typeof(value) WHEN 'array' THEN ARRAY(SELECT jsonb_array_elements_text(value))
                                    ELSE ARRAY[value #>> '{}'] END
    WHERE value IS NOT NULL;
END;
COMMENT ON FUNCTION tenancy.config_texts(jsonb) IS 'Internal: a list of texts; one value stands for a list of one';
REVOKE ALL ON FUNCTION tenancy.config_texts(jsonb) FROM PUBLIC;

-- What a file can say nothing about (require_subject, require_kid, require_audience) stays as it is, and so does one_time_jti
-- when it says nothing.
CREATE FUNCTION tenancy.config_issuer(block jsonb) RETURNS TABLE (object text, name text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    who  CONSTANT text := block->>'issuer';
    jwks CONSTANT jsonb := block->'jwks';
    old  tenancy.issuers;
BEGIN
    PERFORM tenancy.check_config_keys(block, 'tenancy.issuers', '{issuer,audience,jwks,jwks_url,tenant_claim,algorithms,typ,authorized_parties,leeway_seconds,max_lifetime_seconds,max_age_seconds,one_time_jti}');
    SELECT i.* INTO old FROM tenancy.issuers i WHERE i.issuer = who;
    PERFORM tenancy.add_issuer(who, tenancy.config_texts(block->'audience'),
        coalesce(block->>'tenant_claim', 'tenant'),
        coalesce(tenancy.config_texts(block->'algorithms'), '{ES256,RS256}'),
        CASE block->>'typ' WHEN 'jwt' THEN 'JWT' WHEN 'access_token' THEN 'at+jwt' ELSE coalesce(block->>'typ', 'any') END,
        tenancy.config_texts(block->'authorized_parties'), coalesce((block->>'leeway_seconds')::int, 30),
        nullif((block->>'max_lifetime_seconds')::int, 0), nullif((block->>'max_age_seconds')::int, 0),
        coalesce(old.require_subject, false), coalesce(old.require_kid, true), coalesce(old.require_audience, true),
        coalesce((block->>'one_time_jti')::boolean, old.one_time_jti, false));
    RETURN QUERY SELECT 'issuer', who;
    IF jwks IS NOT NULL THEN -- text when it comes from a file: duplicate members are refused there
        PERFORM tenancy.load_jwks(who, CASE jsonb_typeof(jwks) WHEN 'string' THEN jwks #>> '{}' ELSE jwks::text END);
        RETURN QUERY SELECT s.object, s.name FROM tenancy.config_state() s
            WHERE s.object = 'key' AND s.state->>'issuer' = who;
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.config_issuer(jsonb) IS 'Internal: writes one entry of tenancy.issuers; returns what it names';
REVOKE ALL ON FUNCTION tenancy.config_issuer(jsonb) FROM PUBLIC;

-- Without a state in the file, a tenant that somebody suspended stays suspended.
CREATE FUNCTION tenancy.config_tenant(block jsonb) RETURNS TABLE (object text, name text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    who  CONSTANT text := block->>'id';
    want CONSTANT text := block->>'state';
BEGIN
    PERFORM tenancy.check_config_keys(block, 'tenancy.tenants', '{id,issuer,claim_value,state}');
    PERFORM tenancy.require(coalesce(want, 'active') IN ('active', 'suspended'),
        format('state "%s" of tenant "%s" is not known', left(want, 100), left(who, 100)), 'Use active or suspended.');
    PERFORM tenancy.add_tenant(who, block->>'issuer', block->>'claim_value');
    IF want <> (SELECT t.status FROM tenancy.tenants t WHERE t.tenant_id = who) THEN
        PERFORM tenancy.set_tenant_status(who, want, NULL);
    END IF;
    RETURN QUERY SELECT 'tenant', who;
END
$$;
COMMENT ON FUNCTION tenancy.config_tenant(jsonb) IS 'Internal: writes one entry of tenancy.tenants; returns what it names';
REVOKE ALL ON FUNCTION tenancy.config_tenant(jsonb) FROM PUBLIC;

CREATE FUNCTION tenancy.config_limits(who text, block jsonb) RETURNS TABLE (object text, name text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    rate   CONSTANT jsonb := nullif(block->'rate_limit', '{}');
    budget CONSTANT jsonb := block->'budget';
    quota  CONSTANT jsonb := nullif(block->'file_quota', '{}');
BEGIN
    PERFORM tenancy.check_config_keys(block, 'the limits of ' || left(who, 100), '{rate_limit,budget,file_quota}');
    PERFORM tenancy.check_config_keys(rate, 'rate_limit of ' || left(who, 100), '{requests_per_minute,burst,tokens_per_minute,max_concurrent,subject_requests_per_minute}');
    PERFORM tenancy.check_config_keys(budget, 'budget of ' || left(who, 100), '{window,mode,limit_usd,limit_tokens,warn_ratio,time_zone}');
    PERFORM tenancy.check_config_keys(quota, 'file_quota of ' || left(who, 100), '{max_bytes,max_files,max_file_bytes,allowed_mime_types}');
    IF rate IS NOT NULL THEN
        PERFORM tenancy.set_rate_limit(nullif(who, '*'), (rate->>'requests_per_minute')::bigint, (rate->>'burst')::bigint,
            (rate->>'tokens_per_minute')::bigint, (rate->>'max_concurrent')::int, (rate->>'subject_requests_per_minute')::bigint);
        RETURN QUERY SELECT 'rate limit', who;
    END IF;
    IF budget->'limit_usd' IS NOT NULL OR budget->'limit_tokens' IS NOT NULL THEN
        PERFORM tenancy.set_budget(nullif(who, '*'), coalesce(budget->>'window', 'month'), (budget->>'limit_usd')::numeric,
            (budget->>'limit_tokens')::bigint, coalesce((budget->>'warn_ratio')::numeric, 0.8),
            coalesce(budget->>'mode', 'enforce'), time_zone => coalesce(budget->>'time_zone', 'UTC'));
        RETURN QUERY SELECT 'budget', format('%s tenant per %s', who, coalesce(budget->>'window', 'month'));
    END IF;
    IF quota IS NOT NULL THEN
        PERFORM tenancy.set_file_quota(nullif(who, '*'), (quota->>'max_bytes')::bigint, (quota->>'max_files')::bigint,
            (quota->>'max_file_bytes')::bigint, nullif(tenancy.config_texts(quota->'allowed_mime_types'), '{}'));
        RETURN QUERY SELECT 'file quota', who;
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.config_limits(text, jsonb) IS
    'Internal: writes rate_limit, budget and file_quota of a tenant, or * for the defaults; returns what they name. Here 0 is a limit of nothing';
REVOKE ALL ON FUNCTION tenancy.config_limits(text, jsonb) FROM PUBLIC;

-- The budget block of agent.yaml, where 0 is off and there is no window: in all, per tenant and session.
CREATE FUNCTION tenancy.config_agent_budget(block jsonb) RETURNS TABLE (object text, name text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    scope text;
    usd   numeric;
    warn  numeric;
BEGIN
    PERFORM tenancy.check_config_keys(block, 'budget', '{mode,per_session,per_tenant}');
    FOREACH scope IN ARRAY '{session,tenant}'::text[] LOOP
        PERFORM tenancy.check_config_keys(block->('per_' || scope), 'budget.per_' || scope, '{warn_usd,limit_usd}');
        usd := block->('per_' || scope)->>'limit_usd';
        warn := nullif((block->('per_' || scope)->>'warn_usd')::numeric, 0);
        CONTINUE WHEN usd IS NULL AND warn IS NULL;
        PERFORM tenancy.require(warn IS NULL OR warn > 0 AND warn <= usd, format('warn_usd of budget.per_%s is not within limit_usd', scope),
            'Give a limit_usd of at least as much; with mode: observe it refuses nothing.');
        PERFORM tenancy.set_budget("window" => 'total', limit_usd => nullif(usd, 0), scope => scope,
            warn_ratio => greatest(round(warn / nullif(usd, 0), 6), CASE WHEN warn > 0 THEN 0.000001 END),
            mode => coalesce(block->>'mode', 'enforce'));
        RETURN QUERY SELECT 'budget', format('* %s per total', scope);
    END LOOP;
END
$$;
COMMENT ON FUNCTION tenancy.config_agent_budget(jsonb) IS
    'Internal: writes the budget block of agent.yaml; returns what it names. Here a limit of 0 is off and removes the budget';
REVOKE ALL ON FUNCTION tenancy.config_agent_budget(jsonb) FROM PUBLIC;

CREATE FUNCTION tenancy.config_price(model text, block jsonb) RETURNS TABLE (object text, name text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    at CONSTANT timestamptz := clock_timestamp();
BEGIN
    PERFORM tenancy.check_config_keys(block, format('the price of model "%s"', left(model, 100)), '{input_per_1k,output_per_1k,cached_input_per_1k,cache_write_per_1k,reasoning_per_1k,per_request}');
    PERFORM tenancy.require(block <> '{}', format('the price of model "%s" is empty', left(model, 100)),
        'A model that costs nothing says so: input_per_1k: 0.');
    PERFORM tenancy.set_price(model, coalesce((block->>'input_per_1k')::numeric, 0) * 1000,
        coalesce((block->>'output_per_1k')::numeric, 0) * 1000, (block->>'cached_input_per_1k')::numeric * 1000,
        (block->>'cache_write_per_1k')::numeric * 1000, (block->>'reasoning_per_1k')::numeric * 1000,
        coalesce((block->>'per_request')::numeric, 0), at);
    -- The price that it was is no new one.
    DELETE FROM tenancy.prices p USING tenancy.prices was
    WHERE p.model = config_price.model AND p.valid_from = at AND was.model = p.model
      AND was.valid_from = (SELECT max(x.valid_from) FROM tenancy.prices x WHERE x.model = p.model AND x.valid_from < at)
      AND to_jsonb(p) - 'valid_from' = to_jsonb(was) - 'valid_from';
    RETURN QUERY SELECT 'price', model;
END
$$;
COMMENT ON FUNCTION tenancy.config_price(text, jsonb) IS
    'Internal: prices a model from now on, USD per 1000 tokens, unless that is its price already; returns what it names';
REVOKE ALL ON FUNCTION tenancy.config_price(text, jsonb) FROM PUBLIC;

-- A default of nothing is what every agent.yaml begins with, so it prices nothing: else a model that
-- nobody has priced would be free. A model is free when its own entry says so.
CREATE FUNCTION tenancy.config_prices(block jsonb, model text) RETURNS TABLE (object text, name text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    common CONSTANT jsonb := block->'default';
BEGIN
    PERFORM tenancy.check_config_keys(block, 'pricing', '{default,models}');
    RETURN QUERY SELECT p.object, p.name FROM jsonb_each(block->'models') m, tenancy.config_price(m.key, m.value) p;
    IF model IS NOT NULL AND block->'models'->model IS NULL
       AND EXISTS (SELECT FROM jsonb_each_text(common) r WHERE r.value::numeric <> 0) THEN
        RETURN QUERY SELECT p.object, p.name FROM tenancy.config_price(model, common) p;
    END IF;
END
$$;
COMMENT ON FUNCTION tenancy.config_prices(jsonb, text) IS
    'Internal: writes the pricing block, its default for the model that runs; returns what it names';
REVOKE ALL ON FUNCTION tenancy.config_prices(jsonb, text) FROM PUBLIC;

CREATE FUNCTION tenancy.write_config(config jsonb) RETURNS TABLE (object text, name text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    block CONSTANT jsonb := config->'tenancy';
BEGIN
    PERFORM tenancy.check_config_keys(config, 'the configuration', '{tenancy,pricing,budget,model,fallback_models}');
    PERFORM tenancy.check_config_keys(block, 'tenancy', '{issuers,tenants,rate_limit,budget,file_quota,overrides}');
    RETURN QUERY SELECT n.* FROM jsonb_array_elements(block->'issuers') e, tenancy.config_issuer(e) n;
    RETURN QUERY SELECT n.* FROM jsonb_array_elements(block->'tenants') e, tenancy.config_tenant(e) n;
    RETURN QUERY SELECT n.* FROM tenancy.config_limits('*', block - '{issuers,tenants,overrides}'::text[]) n;
    RETURN QUERY SELECT n.* FROM jsonb_each(block->'overrides') o, tenancy.config_limits(o.key, o.value) n;
    RETURN QUERY SELECT n.* FROM tenancy.config_agent_budget(config->'budget') n;
    RETURN QUERY SELECT n.* FROM tenancy.config_prices(config->'pricing', config->>'model') n;
END
$$;
COMMENT ON FUNCTION tenancy.write_config(jsonb) IS 'Internal: writes a configuration; returns everything it names';
REVOKE ALL ON FUNCTION tenancy.write_config(jsonb) FROM PUBLIC;
