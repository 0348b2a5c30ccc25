-- apply_config: a configuration file's issuers, tenants, limits and prices, written or only told.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
SET client_min_messages = warning;
\set config '{"tenancy": {"issuers": [{"issuer": "https://new.example", "audience": "agents", "tenant_claim": "org", "typ": "access_token", "leeway_seconds": 5, "max_age_seconds": 0}], "tenants": [{"id": "newco", "issuer": "https://new.example", "claim_value": "New Co"}], "rate_limit": {"requests_per_minute": 60, "burst": 7}, "budget": {"window": "day", "limit_usd": "12.50"}, "overrides": {"newco": {"rate_limit": {"requests_per_minute": 5}, "budget": {"limit_usd": 0}}}}, "pricing": {"default": {"input_per_1k": 0, "output_per_1k": 0}, "models": {"m1": {"input_per_1k": "0.000000002", "output_per_1k": 0.00000002}, "gratis": {"input_per_1k": 0}}}, "budget": {"mode": "observe", "per_session": {"warn_usd": 1, "limit_usd": 4}, "per_tenant": {"warn_usd": 0, "limit_usd": 0}}, "model": "m2"}'
BEGIN;
DELETE FROM tenancy.rate_limits;
DELETE FROM tenancy.budgets;
DELETE FROM tenancy.prices;

-- a price finer than a picodollar per token is refused, and nothing of the rest is written
\set ON_ERROR_ROLLBACK on
SELECT * FROM tenancy.apply_config('{"tenancy": {"rate_limit": {"max_concurrent": 1}}, "pricing": {"models": {"m1": {"input_per_1k": "0.0000000001"}}}}', false);
SELECT count(*) FROM tenancy.rate_limits;

-- a dry run tells everything and writes nothing
SELECT action, object, name, after FROM tenancy.apply_config(:'config') WHERE action <> 'left alone' OR name = 'acme' AND object = 'tenant';
SELECT count(*) AS issuers, (SELECT count(*) FROM tenancy.budgets) AS budgets, (SELECT count(*) FROM tenancy.prices) AS prices,
    (SELECT count(*) FROM tenancy.rate_limits) AS rates FROM tenancy.issuers WHERE issuer ~ 'new';
SELECT count(*) FROM tenancy.apply_config(:'config', NULL) WHERE action = 'add';
SELECT count(*) AS issuers FROM tenancy.issuers WHERE issuer ~ 'new';

-- what it told is what it does; the second time there is nothing to change
CREATE TEMP TABLE told AS SELECT * FROM tenancy.apply_config(:'config');
SELECT count(*) FROM (TABLE told EXCEPT SELECT * FROM tenancy.apply_config(:'config', false)) t;
SELECT action, object, name FROM tenancy.apply_config(:'config', false)
WHERE action <> 'left alone' OR name IN ('acme', 'https://dev.issuer.example') AND object <> 'rate limit' ORDER BY 1, 2, 3;
SELECT count(*) AS prices FROM tenancy.prices;

-- money is exact, 0 is a limit of nothing for a tenant and "off" in the block of agent.yaml
SELECT model, input, output FROM tenancy.prices ORDER BY model;
SELECT tenant_id, scope, period, limit_picodollars, warn_ratio, mode FROM tenancy.budgets ORDER BY 1, 2;
SELECT action, name, before, after FROM tenancy.apply_config('{"budget": {"per_session": {"limit_usd": 0}}}', false) WHERE action <> 'left alone';

-- only what differs; things that are not named stay
SELECT action, object, name, before, after FROM tenancy.apply_config('{"tenancy": {"rate_limit": {"requests_per_minute": 60, "burst": 9}}}', false) WHERE object = 'rate limit' AND name IN ('*', 'newco');
SELECT action, before, after FROM tenancy.apply_config('{"pricing": {"default": {"output_per_1k": "0.002"}}, "model": "m2"}', false) WHERE name = 'm2';

-- a suspended tenant is resumed only by a file that says so; hard rules of an issuer stay
SELECT tenancy.suspend_tenant('newco', 'unpaid');
SELECT tenancy.add_issuer('https://new.example', '{agents}', 'org', require_subject => true, one_time_jti => true);
SELECT action, object, after->>'require_subject' AS subject, after->>'one_time_jti' AS one_time FROM tenancy.apply_config(:'config', false) WHERE object = 'issuer' AND name ~ 'new';
SELECT status FROM tenancy.tenants WHERE tenant_id = 'newco';
SELECT action, before->>'state' AS before, after->>'state' AS after FROM tenancy.apply_config('{"tenancy": {"tenants": [{"id": "newco", "issuer": "https://new.example", "claim_value": "New Co", "state": "active"}]}}', false) WHERE object = 'tenant' AND name = 'newco';

-- unless the file says otherwise: off, silent, on, on again
\set once '{"tenancy": {"issuers": [{"issuer": "https://new.example", "audience": "agents", "tenant_claim": "org"}]}}'
SELECT action, before->'one_time_jti' AS before, after->'one_time_jti' AS after FROM tenancy.apply_config(jsonb_set(:'once', '{tenancy,issuers,0,one_time_jti}', 'false'), false) WHERE object = 'issuer' AND name ~ 'new';
SELECT action, after->'one_time_jti' AS after FROM tenancy.apply_config(:'once', false) WHERE object = 'issuer' AND name ~ 'new';
SELECT action, before->'one_time_jti' AS before, after->'one_time_jti' AS after FROM tenancy.apply_config(jsonb_set(:'once', '{tenancy,issuers,0,one_time_jti}', 'true'), false) WHERE object = 'issuer' AND name ~ 'new';
SELECT action, after->'one_time_jti' AS after FROM tenancy.apply_config(jsonb_set(:'once', '{tenancy,issuers,0,one_time_jti}', 'true'), false) WHERE object = 'issuer' AND name ~ 'new';

-- quotas of files: of all, of one, only told, written, kept; an empty block and no list of types say nothing
DELETE FROM tenancy.file_quotas;
\set quotas '{"tenancy": {"file_quota": {"max_bytes": 1000, "allowed_mime_types": []}, "overrides": {"newco": {"file_quota": {"max_files": 3, "max_file_bytes": 10, "allowed_mime_types": ["text/plain"]}}, "acme": {"file_quota": {}}}}}'
SELECT action, name, before, after FROM tenancy.apply_config(:'quotas') WHERE object = 'file quota';
SELECT count(*) FROM tenancy.file_quotas;
SELECT action, name FROM tenancy.apply_config(:'quotas', false) WHERE object = 'file quota';
SELECT action, name FROM tenancy.apply_config(:'quotas', false) WHERE object = 'file quota';
SELECT tenant_id, max_bytes, max_files, max_file_bytes, allowed_mime_types FROM tenancy.file_quotas ORDER BY 1;
SELECT action, name, before->'max_bytes' AS before, after->'max_bytes' AS after FROM tenancy.apply_config('{"tenancy": {"file_quota": {"max_bytes": 0}}}') WHERE object = 'file quota';
SELECT * FROM tenancy.apply_config('{"tenancy": {"file_quota": {"max_byte": 1}}}');
SELECT * FROM tenancy.apply_config('{"tenancy": {"overrides": {"newco": {"file_quota": {"max_bytes": -1}}}}}');
SELECT * FROM tenancy.apply_config('{"tenancy": {"file_quota": {"allowed_mime_types": ["Text/Plain"]}}}');

-- every model that may run needs a price: each without one is told once
SELECT name FROM tenancy.apply_config('{"model": "m1", "fallback_models": ["dear", "m2", "dear", "m1"]}') WHERE action = 'unpriced';
SELECT name FROM tenancy.apply_config('{"model": "new", "fallback_models": ["dear"], "pricing": {"default": {"input_per_1k": 1}, "models": {"other": {"input_per_1k": 0}}}}') WHERE action = 'unpriced';
SELECT count(*) FROM tenancy.apply_config('{"model": "new", "fallback_models": ["dear"], "pricing": {"models": {"dear": {"input_per_1k": 0}, "new": {"input_per_1k": 1}}}}') WHERE action = 'unpriced';

-- keys: loaded as a set; one that was revoked stays so
SELECT jsonb_build_object('tenancy', jsonb_build_object('issuers', jsonb_build_array(jsonb_build_object(
    'issuer', 'https://new.example', 'audience', 'agents', 'jwks', :'jwks')))) AS with_keys \gset
SELECT action, object, before->>'state' AS before, after->>'state' AS after FROM tenancy.apply_config(:'with_keys', false) WHERE object = 'key' ORDER BY name;
SELECT tenancy.revoke_key('https://new.example', (SELECT min(kid) FROM tenancy.signing_keys WHERE issuer = 'https://new.example'));
SELECT action, object, before->>'state' AS before, after->>'state' AS after FROM tenancy.apply_config(:'with_keys', false) WHERE object = 'key' ORDER BY 3;

-- mistakes are refused whole
SELECT * FROM tenancy.apply_config(NULL);
SELECT * FROM tenancy.apply_config('[]');
SELECT * FROM tenancy.apply_config('{"tenency": {}}');
SELECT * FROM tenancy.apply_config('{"tenancy": {"rate_limits": {}}}');
SELECT * FROM tenancy.apply_config('{"tenancy": {"rate_limit": {"requests_per_minte": 1}}}');
SELECT * FROM tenancy.apply_config('{"tenancy": {"rate_limit": 5}}');
SELECT * FROM tenancy.apply_config('{"tenancy": {"issuers": [{"issuer": "x", "audience": "a", "algorithms": 5}]}}');
SELECT * FROM tenancy.apply_config('{"tenancy": {"overrides": {"nobody": {"rate_limit": {"max_concurrent": 1}}}}}');
SELECT * FROM tenancy.apply_config('{"tenancy": {"budget": {"window": "total", "limit_usd": 1}}, "budget": {"per_tenant": {"limit_usd": 2}}}');
SELECT * FROM tenancy.apply_config('{"budget": {"per_tenant": {"warn_usd": 2, "limit_usd": 1}}}');
SELECT * FROM tenancy.apply_config('{"budget": {"per_tenant": {"warn_usd": 2}}}');
SELECT * FROM tenancy.apply_config('{"pricing": {"models": {"m": {}}}}');
SELECT * FROM tenancy.apply_config('{"pricing": {"models": {"m": {"input_per_1k": "NaN"}}}}');

-- an application role can do none of it, not even when somebody lets it
GRANT EXECUTE ON FUNCTION tenancy.apply_config(jsonb, boolean) TO regress_app;
SET LOCAL ROLE regress_app;
SELECT * FROM tenancy.apply_config('{"tenancy": {"rate_limit": {"requests_per_minute": 1000000}}}', false);
SELECT * FROM tenancy.write_config('{"tenancy": {"rate_limit": {"requests_per_minute": 1000000}}}');
RESET ROLE;
REVOKE EXECUTE ON FUNCTION tenancy.apply_config(jsonb, boolean) FROM regress_app;
SET LOCAL ROLE regress_app;
SELECT * FROM tenancy.apply_config('{}');
ROLLBACK;
