-- The chain over the audit log: rows and seals cannot be changed by a slip, and what is changed on purpose shows.
\getenv test_dir PG_ABS_SRCDIR
\set setup :test_dir '/sql/include/setup.psql'
\i :setup
ALTER ROLE regress_app SET tenancy.guard = 'truncate'; -- the privilege is what is tested
DELETE FROM tenancy.retention;
CREATE FUNCTION public.write_audit(tenant text, rows int) RETURNS void LANGUAGE sql AS $$
    SELECT agent.audit_operation(tenant, 'x.test', 'row', i::text, 'for the test') FROM generate_series(1, rows) i $$;

-- sealed once, in batches, each tenant for itself, the oldest rows first
SELECT public.write_audit('acme', 5), public.write_audit('globex', 2);
SELECT tenant_id, seal_no, row_count FROM tenancy.seal_audit(max_rows => 6);
SELECT tenant_id, seal_no, row_count FROM tenancy.seal_audit();
SELECT tenant_id, seal_no, row_count FROM tenancy.seal_audit();
SELECT public.write_audit('acme', 3);
SELECT tenant_id, seal_no, row_count FROM tenancy.seal_audit('globex');
SELECT tenant_id, seal_no, row_count FROM tenancy.seal_audit('acme');
SELECT tenancy.seal_audit(max_rows => 0);
SELECT * FROM tenancy.verify_audit('acme');
SELECT * FROM tenancy.verify_audit('globex');
SELECT tenant_id, seal_no, length(sha256) FROM tenancy.audit_head();

-- anybody can compute the hashes again, with nothing of ours: this is the format
SELECT s.seal_no, s.rows_sha256 = rows.sha256 AS rows_agree,
    s.sha256 = sha256(convert_to(jsonb_build_array(1, s.tenant_id, s.seal_no, s.first_audit_id, s.last_audit_id, s.row_count,
        (extract(epoch FROM s.sealed_at) * 1000000)::bigint, encode(s.rows_sha256, 'hex'),
        encode(lag(s.sha256) OVER (ORDER BY s.seal_no), 'hex'))::text, 'UTF8')) AS seal_agrees
FROM agent.audit_seals s, LATERAL (
    SELECT sha256(string_agg(sha256(convert_to(jsonb_build_array(a.tenant_id, a.audit_id, (extract(epoch FROM a.occurred_at) * 1000000)::bigint,
        a.actor, a.issuer, encode(a.token_id_hash, 'hex'), a.action, a.resource_type, a.resource_id, a.outcome, a.status, a.reason, a.trace_id,
        a.session_id, a.request_id, a.prompt_tokens, a.completion_tokens, a.cost_picodollars, a.limit_picodollars)::text, 'UTF8')), '' ORDER BY a.audit_id))
    FROM agent.audit_log a WHERE a.tenant_id = s.tenant_id AND a.audit_id = ANY (s.row_ids)) rows (sha256)
WHERE s.tenant_id = 'acme' ORDER BY s.seal_no;

-- a slip of the owner, or of a superuser, is refused
UPDATE agent.audit_log SET actor = 'nobody';
DELETE FROM agent.audit_log;
TRUNCATE agent.audit_log;
TRUNCATE agent.audit_log, agent.audit_seals;
UPDATE agent.audit_seals SET sealed_at = now();
UPDATE agent.audit_seals SET purged_at = now(), purge_reason = 'x', row_ids = NULL, row_marks = NULL, row_count = 1;
DELETE FROM agent.audit_seals;
TRUNCATE agent.audit_seals;
-- also rows whose seals are not those that are marked as purged, or were marked by another transaction
BEGIN;
UPDATE agent.audit_seals SET purged_at = now(), purge_reason = 'x', row_ids = NULL, row_marks = NULL WHERE tenant_id = 'globex';
DELETE FROM agent.audit_log WHERE tenant_id = 'acme';
ROLLBACK;
UPDATE agent.audit_seals SET purged_at = now(), purge_reason = 'x', row_ids = NULL, row_marks = NULL WHERE tenant_id = 'globex';
DELETE FROM agent.audit_log WHERE tenant_id = 'globex';
UPDATE agent.audit_seals SET purged_at = NULL, purge_reason = NULL, row_ids = '{1}', row_marks = '' WHERE tenant_id = 'globex';
SELECT seal_no, ok, problem FROM tenancy.verify_audit('globex');

-- who means it finds the way, and is found
SET session_replication_role = replica;
CREATE FUNCTION public.nth(n int) RETURNS bigint LANGUAGE sql AS $$ SELECT audit_id FROM agent.audit_log WHERE tenant_id = 'acme' ORDER BY audit_id OFFSET n - 1 LIMIT 1 $$;
SELECT public.nth(1) AS row1, public.nth(2) AS row2, public.nth(7) AS row7 \gset
\set problems 'SELECT seal_no, ok, problem, CASE audit_id WHEN :row1 THEN \'row 1\' WHEN :row2 THEN \'row 2\' WHEN :row7 THEN \'row 7\' WHEN :row7 - 1 THEN \'before row 7\' END AS row FROM tenancy.verify_audit(\'acme\')'
BEGIN;
UPDATE agent.audit_log SET reason = 'rewritten' WHERE audit_id = :row2 AND tenant_id = 'acme';
:problems;
ROLLBACK;
BEGIN;
DELETE FROM agent.audit_log WHERE audit_id IN (:row1, :row7) AND tenant_id = 'acme';
:problems;
ROLLBACK;
BEGIN;
INSERT INTO agent.audit_log (tenant_id, audit_id, occurred_at, action, outcome) VALUES ('acme', :row7 - 1, now(), 'x.forged', 'allow');
:problems;
ROLLBACK;
-- two rows that changed places
BEGIN;
UPDATE agent.audit_log SET audit_id = -1 WHERE audit_id = :row1 AND tenant_id = 'acme';
UPDATE agent.audit_log SET audit_id = :row1 WHERE audit_id = :row2 AND tenant_id = 'acme';
UPDATE agent.audit_log SET audit_id = :row2 WHERE audit_id = -1 AND tenant_id = 'acme';
:problems;
ROLLBACK;
-- a row and its mark
BEGIN;
UPDATE agent.audit_log SET reason = 'rewritten' WHERE audit_id = :row1 AND tenant_id = 'acme';
UPDATE agent.audit_seals s SET row_marks = (SELECT string_agg(substr(l.leaf, 1, 8), '' ORDER BY l.audit_id)
    FROM agent.audit_leaves('acme', 0, s.last_audit_id, NULL) l) WHERE tenant_id = 'acme' AND seal_no = 1;
:problems;
-- and its hash
UPDATE agent.audit_seals s SET rows_sha256 = (SELECT sha256(string_agg(l.leaf, '' ORDER BY l.audit_id))
    FROM agent.audit_leaves('acme', 0, s.last_audit_id, NULL) l) WHERE tenant_id = 'acme' AND seal_no = 1;
:problems;
-- and the seal's: the next one does not follow
UPDATE agent.audit_seals s SET sha256 = agent.seal_sha256(s, NULL) WHERE tenant_id = 'acme' AND seal_no = 1;
:problems;
ROLLBACK;
-- a seal with its rows
BEGIN;
DELETE FROM agent.audit_log a USING agent.audit_seals s WHERE a.tenant_id = 'acme' AND s.tenant_id = 'acme' AND s.seal_no = 1 AND a.audit_id <= s.last_audit_id;
DELETE FROM agent.audit_seals WHERE tenant_id = 'acme' AND seal_no = 1;
:problems;
ROLLBACK;
-- a purge that nobody ordered; a tenant can write an audit row of those words, as a refusal
BEGIN;
DELETE FROM agent.audit_log a USING agent.audit_seals s WHERE a.tenant_id = 'acme' AND s.tenant_id = 'acme' AND s.seal_no = 2 AND a.audit_id = ANY (s.row_ids);
UPDATE agent.audit_seals SET purged_at = now(), purge_reason = 'retention', row_ids = NULL, row_marks = NULL WHERE tenant_id = 'acme' AND seal_no = 2;
SET LOCAL ROLE regress_app;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT agent.record_refusal('retention.purge', 'audit', 'seal 2', 403, 'forged');
RESET ROLE;
:problems;
ROLLBACK;
-- the newest seals: only a head that is kept elsewhere tells
BEGIN;
SELECT seal_no AS kept FROM tenancy.audit_head('acme') \gset
DELETE FROM agent.audit_log a USING agent.audit_seals s WHERE a.tenant_id = 'acme' AND s.tenant_id = 'acme' AND s.seal_no = 2 AND a.audit_id = ANY (s.row_ids);
DELETE FROM agent.audit_seals WHERE tenant_id = 'acme' AND seal_no = 2;
:problems;
SELECT seal_no, seal_no = :kept AS is_the_head_i_kept FROM tenancy.audit_head('acme');
ROLLBACK;
RESET session_replication_role;
SELECT bool_and(ok) FROM tenancy.verify_audit('acme');

-- tenants read their own seals, and can neither make nor change one
\c - regress_app
SELECT count(*) FROM agent.audit_seals;
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme_alice');
SELECT tenant_id, seal_no, row_count FROM agent.audit_seals ORDER BY 1, 2;
SAVEPOINT s;
UPDATE agent.audit_seals SET sealed_at = now();
ROLLBACK TO s;
DELETE FROM agent.audit_seals;
ROLLBACK TO s;
TRUNCATE agent.audit_seals;
ROLLBACK TO s;
SELECT tenancy.seal_audit();
ROLLBACK TO s;
SELECT tenancy.verify_audit('globex');
ROLLBACK TO s;
SELECT tenancy.audit_head();
ROLLBACK TO s;
SELECT agent.audit_operation('acme', 'x.y', 'z', '1', 'r');
ROLLBACK TO s;
SELECT tenancy.lock_task('seal audit', true);
ROLLBACK;
\c - :admin
SELECT rule, severity, object FROM tenancy.check_isolation() WHERE object ~ 'audit|seal|retention|erase|export|import|erasure';
DROP FUNCTION public.write_audit, public.nth;
