-- Work items: tasks that agents of a tenant take under a lease. The application role reads them; it writes them
-- by agent.add_work_item() and agent.move_work_item() only, since who may do what depends on the subject.

CREATE TABLE agent.work_items (
    tenant_id text COLLATE "C" NOT NULL DEFAULT tenancy.current_tenant(),
    id text COLLATE "C" NOT NULL DEFAULT agent.new_id('wi_'),
    title text NOT NULL CHECK (pg_catalog.char_length(title) BETWEEN 1 AND 1000),
    description text NOT NULL DEFAULT '' CHECK (pg_catalog.char_length(description) <= 100000),
    status text NOT NULL DEFAULT 'available'
        CHECK (status IN ('available', 'checked_out', 'completed', 'failed', 'review_pending', 'blocked')),
    priority integer NOT NULL DEFAULT 0,
    required_capabilities jsonb NOT NULL DEFAULT '[]' CHECK (pg_catalog.jsonb_typeof(required_capabilities) = 'array'),
    max_tokens bigint CHECK (max_tokens >= 0),
    max_cost_usd numeric CHECK (max_cost_usd BETWEEN 0 AND 1000000000 AND pg_catalog.scale(max_cost_usd) <= 12),
    max_duration_seconds bigint CHECK (max_duration_seconds >= 0),
    assignee text,
    lease_expires_at timestamptz,
    parent_id text CHECK (pg_catalog.char_length(parent_id) <= 128),
    depends_on jsonb NOT NULL DEFAULT '[]' CHECK (pg_catalog.jsonb_typeof(depends_on) = 'array'),
    acceptance_criteria jsonb NOT NULL DEFAULT '[]' CHECK (pg_catalog.jsonb_typeof(acceptance_criteria) = 'array'),
    handoff_note jsonb CHECK (pg_catalog.jsonb_typeof(handoff_note) = 'object'),
    result jsonb,
    created_by text NOT NULL DEFAULT COALESCE(tenancy.current_subject(), ''),
    created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    assignee_issuer text COLLATE "C",
    created_by_issuer text COLLATE "C" NOT NULL DEFAULT COALESCE(tenancy.current_issuer(), ''),
    CHECK ((status = 'checked_out') = (lease_expires_at IS NOT NULL)),
    PRIMARY KEY (tenant_id, id)
);
REVOKE ALL ON TABLE agent.work_items FROM PUBLIC;
CREATE INDEX work_items_open ON agent.work_items (tenant_id, priority DESC, created_at)
    WHERE status IN ('available', 'checked_out');
COMMENT ON TABLE agent.work_items IS 'Tasks of a tenant; one whose lease has run out counts as available, see agent.as_of_now()';
COMMENT ON INDEX agent.work_items_open IS 'What can be taken, most urgent and oldest first';
COMMENT ON COLUMN agent.work_items.parent_id IS 'A remark, not a reference';
COMMENT ON COLUMN agent.work_items.depends_on IS 'A remark: kept and shown, never enforced';
COMMENT ON COLUMN agent.work_items.assignee IS 'Subject that holds the lease, or that did the work';
COMMENT ON COLUMN agent.work_items.assignee_issuer IS 'Issuer of that subject: the same name from another issuer is somebody else';
COMMENT ON COLUMN agent.work_items.created_by_issuer IS 'Issuer of that subject';
COMMENT ON COLUMN agent.work_items.created_by IS 'Subject that made it: the one who may accept, reject and delete it';
