SELECT count(*) FROM SCHEMA.items o WHERE o.tenant_id = :tenant AND o.price BETWEEN 500.00 AND 500.10;
