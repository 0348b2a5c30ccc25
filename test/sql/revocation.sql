-- Revocation by jti and by subject: at the next statement, in every place a verdict is remembered.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
\set iss 'https://dev.issuer.example'
CREATE FUNCTION pg_temp.verdict(token text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN tenancy.set_tenant_from_jwt(token);
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate || ' ' || sqlerrm;
END $$;
\set at `date +%s`
\set t1 `:issuer_tool claims "$(printf '{"iss":"https://dev.issuer.example","aud":"agents","org_id":"acme","sub":"rev","jti":"t-1","iat":%d,"exp":%d}' $((:at - 100)) $((:at + 600)))"`
\set t2 `:issuer_tool claims "$(printf '{"iss":"https://dev.issuer.example","aud":"agents","org_id":"acme","sub":"rev","jti":"t-2","iat":%d,"exp":%d}' $((:at - 50)) $((:at + 600)))"`
\set no_jti `:issuer_tool claims "$(printf '{"iss":"https://dev.issuer.example","aud":"agents","org_id":"acme","sub":"rev","iat":%d,"exp":%d}' $((:at - 50)) $((:at + 600)))"`
\set no_iat `:issuer_tool claims "$(printf '{"iss":"https://dev.issuer.example","aud":"agents","org_id":"acme","sub":"rev","jti":"t-3","exp":%d}' $((:at + 600)))"`
\set other `:issuer_tool claims "$(printf '{"iss":"https://dev.issuer.example","aud":"agents","org_id":"acme","sub":"other","jti":"t-4","iat":%d,"exp":%d}' $((:at - 100)) $((:at + 600)))"`
CREATE FUNCTION pg_temp.all_verdicts(VARIADIC tokens text[]) RETURNS text[] LANGUAGE sql AS $$
    SELECT array_agg(pg_temp.verdict(t) ORDER BY n) FROM unnest(tokens) WITH ORDINALITY AS x (t, n) $$;

-- an issuer that is not there, names that cannot be
SELECT tenancy.revoke_token('https://nobody.example', 't-1');
SELECT tenancy.revoke_subject('https://nobody.example', 'rev');
SELECT tenancy.revoke_token(:'iss', '');
SELECT tenancy.revoke_token(:'iss', NULL);
SELECT tenancy.revoke_subject(:'iss', E'a\nb');

-- by jti: only that token, although its verdict was remembered a moment ago
SELECT pg_temp.all_verdicts(:'t1', :'t2', :'no_jti');
SELECT tenancy.revoke_token(:'iss', 't-1', to_timestamp(:at + 600), 'stolen');
SELECT pg_temp.all_verdicts(:'t1', :'t2', :'no_jti');
SELECT tenancy.revoke_token(:'iss', 't-1', to_timestamp(:at), NULL);
SELECT expires_at = to_timestamp(:at + 600) AS keeps_the_later, reason FROM tenancy.revoked_tokens;
SELECT tenancy.unrevoke_token(:'iss', 't-1'), tenancy.unrevoke_token(:'iss', 't-1');
SELECT pg_temp.all_verdicts(:'t1', :'t2');

-- the same jti of another issuer is another token
SELECT tenancy.add_issuer('https://second.example', '{agents}') \g /dev/null
SELECT tenancy.revoke_token('https://second.example', 't-1');
SELECT pg_temp.verdict(:'t1');

-- in the middle of a transaction, and undone with it
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'t1');
SELECT tenancy.revoke_token(:'iss', 't-1');
SAVEPOINT s;
SELECT tenancy.current_tenant();
ROLLBACK TO s;
SELECT tenancy.current_tenant_or_null();
ROLLBACK;
SELECT pg_temp.verdict(:'t1');

-- by subject: what was issued before, and what does not say when; nobody else
SELECT tenancy.revoke_subject(:'iss', 'rev', to_timestamp(:at - 75)) = to_timestamp(:at - 75) AS moment;
SELECT pg_temp.all_verdicts(:'t1', :'t2', :'no_iat', :'other');
-- an older order takes nothing back; without a moment it is now
SELECT tenancy.revoke_subject(:'iss', 'rev', to_timestamp(:at - 1000)) = to_timestamp(:at - 75) AS moment;
SELECT pg_temp.all_verdicts(:'t1', :'t2');
SELECT tenancy.revoke_subject(:'iss', 'rev') > to_timestamp(:at - 75) AS moment;
SELECT pg_temp.all_verdicts(:'t1', :'t2', :'other');
SELECT tenancy.unrevoke_subject(:'iss', 'rev'), tenancy.unrevoke_subject(:'iss', 'rev');
SELECT pg_temp.all_verdicts(:'t1', :'t2', :'no_iat', :'other');

-- issued in the very moment is not before it
SELECT tenancy.revoke_subject(:'iss', 'other', to_timestamp(:at - 100)) = to_timestamp(:at - 100) AS moment;
SELECT pg_temp.verdict(:'other');
SELECT tenancy.revoke_subject(:'iss', 'other', to_timestamp(:at - 99.999999)) = to_timestamp(:at - 99.999999) AS moment;
SELECT pg_temp.verdict(:'other');
SELECT tenancy.unrevoke_subject(:'iss', 'other');

-- purge: five minutes after a token has expired by itself, and only when that is known
SELECT tenancy.revoke_token(:'iss', 'old', now() - interval '6 minutes');
SELECT tenancy.revoke_token(:'iss', 'fresh', now() - interval '4 minutes');
SELECT tenancy.revoke_token(:'iss', 'unknown');
SELECT tenancy.revoke_subject(:'iss', 'long-ago', now() - interval '1 year') IS NULL AS moment;
SELECT tenancy.add_issuer('https://second.example', '{agents}', max_lifetime_seconds => 3600) \g /dev/null
SELECT tenancy.revoke_subject('https://second.example', 'long-ago', now() - interval '2 hours') IS NULL AS moment;
SELECT tenancy.purge_revocations(), tenancy.purge_revocations();
SELECT jti, isfinite(expires_at) FROM tenancy.revoked_tokens WHERE issuer = :'iss' ORDER BY 1;
SELECT issuer, subject FROM tenancy.revoked_subjects;

-- many: every look-up is by key
INSERT INTO tenancy.revoked_tokens SELECT :'iss', 'many-' || n, 'infinity', NULL, now() FROM generate_series(1, 20000) n;
SELECT pg_temp.verdict(:'t1');
INSERT INTO tenancy.revoked_tokens VALUES (:'iss', 't-1', 'infinity', NULL, now());
SELECT pg_temp.verdict(:'t1');
TRUNCATE tenancy.revoked_tokens;
SELECT pg_temp.verdict(:'t1');

-- the application role can call none of this, and read none of it
\c - regress_app
SELECT tenancy.revoke_token('https://dev.issuer.example', 't-1');
SELECT tenancy.unrevoke_token('https://dev.issuer.example', 't-1');
SELECT tenancy.revoke_subject('https://dev.issuer.example', 'rev');
SELECT tenancy.unrevoke_subject('https://dev.issuer.example', 'rev');
SELECT tenancy.purge_revocations();
SELECT * FROM tenancy.revoked_tokens;
SELECT * FROM tenancy.revoked_subjects;
\c - :admin
DELETE FROM tenancy.revoked_subjects;
DELETE FROM tenancy.issuers WHERE issuer = 'https://second.example';
