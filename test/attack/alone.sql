-- Makes the database one in which globex never was: its rows go, and its large object. Run as superuser.
SET client_min_messages = warning;
DELETE FROM shop.entries WHERE tenant_id = 'globex';
DELETE FROM shop.accounts WHERE tenant_id = 'globex';
DELETE FROM shop.bookings WHERE tenant_id = 'globex';
DELETE FROM agent.sessions WHERE tenant_id = 'globex';
DELETE FROM agent.feedback WHERE tenant_id = 'globex';
DELETE FROM agent.files WHERE tenant_id = 'globex';
DELETE FROM agent.file_usage WHERE tenant_id = 'globex';
DELETE FROM agent.work_items WHERE tenant_id = 'globex';
SET session_replication_role = replica; -- or the audit log would keep them
DELETE FROM agent.audit_log WHERE tenant_id = 'globex';
DELETE FROM agent.audit_seals WHERE tenant_id = 'globex';
RESET session_replication_role;
DELETE FROM tenancy.tenant_claims WHERE tenant_id = 'globex';
DELETE FROM tenancy.tenants WHERE tenant_id = 'globex';
SELECT lo_unlink(4242) \g /dev/null
-- ANALYZE leaves those of an empty table as they were.
DELETE FROM pg_statistic WHERE starelid >= 16384;
