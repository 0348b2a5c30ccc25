-- Issuers, keys and tenants: what administrators may say, and what each change does at once.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
\set iss 'https://registry.issuer.example'
CREATE FUNCTION pg_temp.verdict(token text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN tenancy.set_tenant_from_jwt(token);
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate || ' ' || sqlerrm;
END $$;

-- an issuer is validated
SELECT tenancy.add_issuer(:'iss', '{}');
SELECT tenancy.add_issuer(:'iss', '{agents,""}');
SELECT tenancy.add_issuer(:'iss', '{agents}', 'a..b');
SELECT tenancy.add_issuer(:'iss', '{agents}', '');
SELECT tenancy.add_issuer(:'iss', '{agents}', algorithms => '{HS256}');
SELECT tenancy.add_issuer(:'iss', '{agents}', leeway_seconds => 301);
SELECT tenancy.add_issuer(:'iss', '{agents}', typ => 'jwt');
SELECT tenancy.add_issuer('', '{agents}');
SELECT tenancy.add_issuer(NULL, '{agents}');
SELECT tenancy.add_issuer(:'iss', '{agents}', 'org_id');

-- keys need a trusted issuer, and a usable set of public keys
SELECT tenancy.load_jwks('https://nobody.example', :'jwks');
SELECT tenancy.load_jwks(:'iss', NULL::text);
SELECT tenancy.load_jwks(:'iss', 'not json');
SELECT tenancy.load_jwks(:'iss', '{"keys": []}');
SELECT tenancy.load_jwks(:'iss', '{"keys": [{"kty": "oct", "kid": "h", "k": "c2VjcmV0"}]}');
SELECT tenancy.load_jwks(:'iss', '{"keys": [{"kty": "EC", "kty": "EC"}]}');
SELECT count(*) FROM tenancy.signing_keys WHERE issuer = :'iss';
SELECT algorithm, outcome FROM tenancy.load_jwks(:'iss', :'jwks') ORDER BY 1;
SELECT algorithm, outcome FROM tenancy.load_jwks(:'iss', :'jwks'::jsonb) ORDER BY 1;

-- a key the issuer no longer publishes ends, after the grace
SELECT (:'jwks'::jsonb #- '{keys,1}')::text AS ec_only \gset
SELECT algorithm, outcome FROM tenancy.load_jwks(:'iss', :'ec_only', grace => '1 hour') ORDER BY 1;
SELECT algorithm, state, valid_until > now() + interval '59 minutes' AS in_grace
    FROM tenancy.signing_keys WHERE issuer = :'iss' ORDER BY 1;
SELECT algorithm, outcome FROM tenancy.load_jwks(:'iss', :'jwks') ORDER BY 1;

-- a set that is no good changes nothing
SELECT tenancy.load_jwks(:'iss', '{"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "x": "AA", "y": "AA"}]}');
SELECT algorithm, state FROM tenancy.signing_keys WHERE issuer = :'iss' ORDER BY 1;

-- tenants: ids are plain, a claim value names one tenant, repeating is harmless
SELECT tenancy.add_tenant('no spaces', :'iss', 'x');
SELECT tenancy.add_tenant('', :'iss', 'x');
SELECT tenancy.add_tenant('umbrella', 'https://nobody.example', 'x');
SELECT tenancy.add_tenant('umbrella', :'iss', '');
SELECT tenancy.add_tenant('umbrella', :'iss', ' x');
SELECT tenancy.add_tenant('umbrella', :'iss', 'org-7');
SELECT tenancy.add_tenant('umbrella', :'iss', 'org-7');
SELECT tenancy.add_tenant('hooli', :'iss', 'org-7');
SELECT tenancy.suspend_tenant('nobody');

-- the same claim value of another issuer is somebody else
\set acme_of_another_issuer `:issuer_tool claims "$(printf '{"iss":"https://registry.issuer.example","aud":"agents","org_id":"acme","exp":%d}' $(($(date +%s) + 600)))"`
SELECT pg_temp.verdict(:'acme_of_another_issuer');

-- claim paths: plain, nested, JSON Pointer, and a claim whose name is a URL
\set token `:issuer_tool claims "$(printf '{"iss":"https://registry.issuer.example","aud":["x","agents"],"org":{"id":"org-7"},"https://x.example/tenant":"org-7","sub":"org-7","a/b":{"c":["z","org-7"]},"exp":%d.5}' $(($(date +%s) + 600)))"`
SELECT path, pg_temp.verdict(CASE WHEN tenancy.add_issuer(:'iss', '{agents}', path) IS NOT NULL THEN :'token' END)
    FROM unnest('{sub,org.id,/org/id,https://x.example/tenant,/https:~1~1x.example~1tenant,/a~1b/c/1,/a~1b/c/0,/a~1b/c/2,org,org.name,missing}'::text[]) path;
SELECT tenancy.add_issuer(:'iss', '{agents}', 'sub');

-- suspension and revocation count at the next statement, cached verdict or not
SELECT pg_temp.verdict(:'token');
SELECT tenancy.suspend_tenant('umbrella', 'unpaid');
SELECT pg_temp.verdict(:'token');
SELECT tenancy.resume_tenant('umbrella');
SELECT pg_temp.verdict(:'token');
SELECT tenancy.retire_key(:'iss', kid, now() + interval '1 hour') FROM tenancy.signing_keys WHERE issuer = :'iss' AND algorithm = 'ES256';
SELECT pg_temp.verdict(:'token');
SELECT tenancy.retire_key(:'iss', kid) FROM tenancy.signing_keys WHERE issuer = :'iss' AND algorithm = 'ES256';
SELECT pg_temp.verdict(:'token');
SELECT algorithm, outcome FROM tenancy.load_jwks(:'iss', :'jwks') ORDER BY 1;
SELECT pg_temp.verdict(:'token');
SELECT tenancy.revoke_key(:'iss', kid) FROM tenancy.signing_keys WHERE issuer = :'iss' AND algorithm = 'ES256';
SELECT pg_temp.verdict(:'token');
-- and a revoked key stays revoked when the issuer publishes it again
SELECT algorithm, outcome FROM tenancy.load_jwks(:'iss', :'jwks') ORDER BY 1;
SELECT pg_temp.verdict(:'token');
SELECT tenancy.revoke_key(:'iss', 'no such key');

-- the application role can call none of this, and read none of it
\c - regress_app
SELECT tenancy.add_issuer('https://evil.example', '{agents}');
SELECT tenancy.load_jwks('https://dev.issuer.example', '{}');
SELECT tenancy.add_tenant('evil', 'https://dev.issuer.example', 'evil');
SELECT tenancy.suspend_tenant('globex');
SELECT tenancy.grant_app('regress_app');
SELECT * FROM tenancy.issuers;
SELECT * FROM tenancy.signing_keys;
SELECT * FROM tenancy.tenants;
SELECT * FROM tenancy.tenant_claims;
\c - :admin
DELETE FROM tenancy.tenant_claims WHERE issuer = 'https://registry.issuer.example';
DELETE FROM tenancy.issuers WHERE issuer = 'https://registry.issuer.example';
DELETE FROM tenancy.tenants WHERE tenant_id = 'umbrella';
