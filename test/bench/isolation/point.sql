\set id random(1, 1000)
SELECT o.note FROM SCHEMA.orders o WHERE o.tenant_id = :tenant AND o.id = :id;
