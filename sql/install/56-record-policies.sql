-- Row security of every table of schema agent: on, forced, one permissive policy that lets all rows of a
-- tenant through and one RESTRICTIVE policy that is the wall. A policy added later can only narrow.

ALTER TABLE agent.sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON agent.sessions USING (true) WITH CHECK (true);
CREATE POLICY tenant_wall ON agent.sessions AS RESTRICTIVE FOR ALL
    USING (tenant_id = (SELECT tenancy.current_tenant()))
    WITH CHECK (tenant_id = (SELECT tenancy.current_tenant()));
COMMENT ON POLICY tenant_rows ON agent.sessions IS 'Everything that tenant_wall leaves';
COMMENT ON POLICY tenant_wall ON agent.sessions IS 'Only rows of the verified tenant';

ALTER TABLE agent.messages ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON agent.messages USING (true) WITH CHECK (true);
CREATE POLICY tenant_wall ON agent.messages AS RESTRICTIVE FOR ALL
    USING (tenant_id = (SELECT tenancy.current_tenant()))
    WITH CHECK (tenant_id = (SELECT tenancy.current_tenant()));
COMMENT ON POLICY tenant_rows ON agent.messages IS 'Everything that tenant_wall leaves';
COMMENT ON POLICY tenant_wall ON agent.messages IS 'Only rows of the verified tenant';

ALTER TABLE agent.turns ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON agent.turns USING (true) WITH CHECK (true);
CREATE POLICY tenant_wall ON agent.turns AS RESTRICTIVE FOR ALL
    USING (tenant_id = (SELECT tenancy.current_tenant()))
    WITH CHECK (tenant_id = (SELECT tenancy.current_tenant()));
COMMENT ON POLICY tenant_rows ON agent.turns IS 'Everything that tenant_wall leaves';
COMMENT ON POLICY tenant_wall ON agent.turns IS 'Only rows of the verified tenant';

ALTER TABLE agent.usage ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON agent.usage USING (true) WITH CHECK (true);
CREATE POLICY tenant_wall ON agent.usage AS RESTRICTIVE FOR ALL
    USING (tenant_id = (SELECT tenancy.current_tenant()))
    WITH CHECK (tenant_id = (SELECT tenancy.current_tenant()));
COMMENT ON POLICY tenant_rows ON agent.usage IS 'Everything that tenant_wall leaves';
COMMENT ON POLICY tenant_wall ON agent.usage IS 'Only rows of the verified tenant';

ALTER TABLE agent.traces ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON agent.traces USING (true) WITH CHECK (true);
CREATE POLICY tenant_wall ON agent.traces AS RESTRICTIVE FOR ALL
    USING (tenant_id = (SELECT tenancy.current_tenant()))
    WITH CHECK (tenant_id = (SELECT tenancy.current_tenant()));
COMMENT ON POLICY tenant_rows ON agent.traces IS 'Everything that tenant_wall leaves';
COMMENT ON POLICY tenant_wall ON agent.traces IS 'Only rows of the verified tenant';

ALTER TABLE agent.spans ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON agent.spans USING (true) WITH CHECK (true);
CREATE POLICY tenant_wall ON agent.spans AS RESTRICTIVE FOR ALL
    USING (tenant_id = (SELECT tenancy.current_tenant()))
    WITH CHECK (tenant_id = (SELECT tenancy.current_tenant()));
COMMENT ON POLICY tenant_rows ON agent.spans IS 'Everything that tenant_wall leaves';
COMMENT ON POLICY tenant_wall ON agent.spans IS 'Only rows of the verified tenant';

ALTER TABLE agent.feedback ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON agent.feedback USING (true) WITH CHECK (true);
CREATE POLICY tenant_wall ON agent.feedback AS RESTRICTIVE FOR ALL
    USING (tenant_id = (SELECT tenancy.current_tenant()))
    WITH CHECK (tenant_id = (SELECT tenancy.current_tenant()));
COMMENT ON POLICY tenant_rows ON agent.feedback IS 'Everything that tenant_wall leaves';
COMMENT ON POLICY tenant_wall ON agent.feedback IS 'Only rows of the verified tenant';

ALTER TABLE agent.audit_log ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON agent.audit_log USING (true) WITH CHECK (true);
CREATE POLICY tenant_wall ON agent.audit_log AS RESTRICTIVE FOR ALL
    USING (tenant_id = (SELECT tenancy.current_tenant()))
    WITH CHECK (tenant_id = (SELECT tenancy.current_tenant()));
COMMENT ON POLICY tenant_rows ON agent.audit_log IS 'Everything that tenant_wall leaves';
COMMENT ON POLICY tenant_wall ON agent.audit_log IS 'Only rows of the verified tenant';

ALTER TABLE agent.files ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON agent.files USING (true) WITH CHECK (true);
CREATE POLICY tenant_wall ON agent.files AS RESTRICTIVE FOR ALL
    USING (tenant_id = (SELECT tenancy.current_tenant()))
    WITH CHECK (tenant_id = (SELECT tenancy.current_tenant()));
COMMENT ON POLICY tenant_rows ON agent.files IS 'Everything that tenant_wall leaves';
COMMENT ON POLICY tenant_wall ON agent.files IS 'Only rows of the verified tenant';

ALTER TABLE agent.file_contents ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON agent.file_contents USING (true) WITH CHECK (true);
CREATE POLICY tenant_wall ON agent.file_contents AS RESTRICTIVE FOR ALL
    USING (tenant_id = (SELECT tenancy.current_tenant()))
    WITH CHECK (tenant_id = (SELECT tenancy.current_tenant()));
COMMENT ON POLICY tenant_rows ON agent.file_contents IS 'Everything that tenant_wall leaves';
COMMENT ON POLICY tenant_wall ON agent.file_contents IS 'Only rows of the verified tenant';

ALTER TABLE agent.file_usage ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON agent.file_usage USING (true) WITH CHECK (true);
CREATE POLICY tenant_wall ON agent.file_usage AS RESTRICTIVE FOR ALL
    USING (tenant_id = (SELECT tenancy.current_tenant()))
    WITH CHECK (tenant_id = (SELECT tenancy.current_tenant()));
COMMENT ON POLICY tenant_rows ON agent.file_usage IS 'Everything that tenant_wall leaves';
COMMENT ON POLICY tenant_wall ON agent.file_usage IS 'Only rows of the verified tenant';

ALTER TABLE agent.work_items ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON agent.work_items USING (true) WITH CHECK (true);
CREATE POLICY tenant_wall ON agent.work_items AS RESTRICTIVE FOR ALL
    USING (tenant_id = (SELECT tenancy.current_tenant()))
    WITH CHECK (tenant_id = (SELECT tenancy.current_tenant()));
COMMENT ON POLICY tenant_rows ON agent.work_items IS 'Everything that tenant_wall leaves';
COMMENT ON POLICY tenant_wall ON agent.work_items IS 'Only rows of the verified tenant';

ALTER TABLE agent.audit_seals ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON agent.audit_seals USING (true) WITH CHECK (true);
CREATE POLICY tenant_wall ON agent.audit_seals AS RESTRICTIVE FOR ALL
    USING (tenant_id = (SELECT tenancy.current_tenant()))
    WITH CHECK (tenant_id = (SELECT tenancy.current_tenant()));
COMMENT ON POLICY tenant_rows ON agent.audit_seals IS 'Everything that tenant_wall leaves';
COMMENT ON POLICY tenant_wall ON agent.audit_seals IS 'Only rows of the verified tenant';

-- Text that the application role brings must be restorable from a dump, see tenancy.is_text().
ALTER TABLE agent.feedback ADD CHECK (tenancy.is_text(pg_catalog.concat(
    trace_id, comment, correction, model_id, agent_type)));
ALTER TABLE agent.messages ADD CHECK (tenancy.is_text(message::text));
ALTER TABLE agent.sessions ADD CHECK (tenancy.is_text(cost_data::text));
ALTER TABLE agent.files ADD CHECK (tenancy.is_text(pg_catalog.concat(filename, mime_type, parse_error)));
ALTER TABLE agent.work_items ADD CHECK (tenancy.is_text(pg_catalog.concat(title, description, parent_id,
    required_capabilities::text, depends_on::text, acceptance_criteria::text, handoff_note::text, result::text)));
