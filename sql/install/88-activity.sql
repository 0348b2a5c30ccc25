-- Who is at work: for each tenant its own backends, for administrators all of them with their tenants.

CREATE FUNCTION tenancy.backend_tenants(OUT pid int, OUT tenant_id text) RETURNS SETOF record
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'pgt_backend_tenants';
COMMENT ON FUNCTION tenancy.backend_tenants() IS
    'Internal: the backends of this database whose running transaction has acted for a tenant';
REVOKE ALL ON FUNCTION tenancy.backend_tenants() FROM PUBLIC;

-- Statement texts of other sessions stay hidden, of the same tenant too: they can hold another subject's token.
CREATE FUNCTION tenancy.activity() RETURNS TABLE (pid int, state text, transaction_start timestamptz,
        query_start timestamptz, state_change timestamptz, query text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    me CONSTANT text := tenancy.current_tenant();
BEGIN
    RETURN QUERY
        SELECT a.pid, a.state, a.xact_start, a.query_start, a.state_change, CASE WHEN a.pid = pg_backend_pid() THEN a.query END
        FROM pg_stat_activity a JOIN tenancy.backend_tenants() b ON b.pid = a.pid
        WHERE b.tenant_id = me;
END
$$;
COMMENT ON FUNCTION tenancy.activity() IS
    'The backends that are in a transaction of the verified tenant; query is shown of the caller''s own only';
REVOKE ALL ON FUNCTION tenancy.activity() FROM PUBLIC;

CREATE VIEW tenancy.stat_activity AS
    SELECT a.pid, b.tenant_id, a.usename, a.application_name, a.client_addr, a.backend_start, a.xact_start,
        a.query_start, a.state_change, a.state, a.query
    FROM pg_stat_activity a LEFT JOIN tenancy.backend_tenants() b ON b.pid = a.pid
    WHERE a.datname = current_database();
COMMENT ON VIEW tenancy.stat_activity IS
    'pg_stat_activity of this database, with the tenant that a running transaction has acted for';

-- A tenant's share of a table, from the planner's statistics: a scan of all tables would cost too much to ask often.
-- Tenants too small to be among the most common values of any table have no row.
CREATE FUNCTION tenancy.tenant_sizes() RETURNS TABLE (tenant_id text, row_estimate bigint, byte_estimate bigint)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT v.tenant_id, sum(greatest(c.reltuples, 0) * v.share)::bigint, sum(pg_total_relation_size(c.oid) * v.share)::bigint
    FROM tenancy.protected_tables p JOIN pg_class c ON c.oid = p.relation AND c.relkind = 'r'
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = p.tenant_column AND NOT s.inherited
    CROSS JOIN LATERAL unnest(s.most_common_vals::text::text[], s.most_common_freqs) AS v(tenant_id, share)
    GROUP BY v.tenant_id;
END;
COMMENT ON FUNCTION tenancy.tenant_sizes() IS
    'Internal: estimated rows and bytes (with indexes) of the larger tenants in all protected tables, as of the last ANALYZE';
REVOKE ALL ON FUNCTION tenancy.tenant_sizes() FROM PUBLIC;

-- Each figure of the last day is a range of an index that starts with the tenant.
CREATE VIEW tenancy.stat_tenants AS
    SELECT t.tenant_id, t.status, s.row_estimate, s.byte_estimate,
        u.turns, u.tokens, u.spent_usd, u.model_time, r.refusals, h.open_turns, to_timestamp(l.audit_id / 1000000.0) AS last_seen
    FROM tenancy.tenants t
    LEFT JOIN tenancy.tenant_sizes() s ON s.tenant_id = t.tenant_id
    CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE NOT x.late) AS turns, coalesce(sum(x.input_tokens + x.output_tokens), 0) AS tokens,
            coalesce(sum(x.cost_picodollars), 0) / 1e12 AS spent_usd,
            coalesce(sum(x.occurred_at - x.admitted_at) FILTER (WHERE NOT x.late), '0') AS model_time
        FROM agent.usage x WHERE x.tenant_id = t.tenant_id AND x.admitted_at > now() - interval '24 hours') u
    CROSS JOIN LATERAL (SELECT count(*) AS refusals FROM agent.audit_log a WHERE a.tenant_id = t.tenant_id AND a.outcome = 'deny'
        AND a.audit_id > (extract(epoch FROM now() - interval '24 hours') * 1000000)::bigint) r
    CROSS JOIN LATERAL (SELECT count(*) AS open_turns FROM agent.turns o WHERE o.tenant_id = t.tenant_id AND o.status = 'open') h
    LEFT JOIN LATERAL (SELECT a.audit_id FROM agent.audit_log a WHERE a.tenant_id = t.tenant_id
        ORDER BY a.audit_id DESC LIMIT 1) l ON true;
COMMENT ON VIEW tenancy.stat_tenants IS
    'Each tenant: estimated rows and bytes; of the last 24 hours turns admitted, their tokens, cost and time with the model, and refusals; '
    'open turns, and when its audit log last grew';
REVOKE ALL ON tenancy.stat_activity, tenancy.stat_tenants FROM PUBLIC;
