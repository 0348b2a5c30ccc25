SELECT o.id, o.at, o.note FROM SCHEMA.orders o WHERE o.tenant_id = :tenant AND o.at < timestamptz '2026-01-01 12:00Z' ORDER BY o.at DESC LIMIT 20;
