SELECT count(*) FROM SCHEMA.items o WHERE o.tenant_id = :tenant AND o.price = 500.00;
