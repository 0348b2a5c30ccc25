SELECT count(*) FROM SCHEMA.items o WHERE o.tenant_id = :tenant AND o.name LIKE 'name 7777%';
