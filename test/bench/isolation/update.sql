\set id random(1, 1000)
UPDATE SCHEMA.orders o SET quantity = quantity + 1 WHERE o.tenant_id = :tenant AND o.id = :id;
