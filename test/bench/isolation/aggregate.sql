SELECT count(*), sum(o.quantity) FROM SCHEMA.orders o WHERE o.tenant_id = :tenant AND o.note <> '';
