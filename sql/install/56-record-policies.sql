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
