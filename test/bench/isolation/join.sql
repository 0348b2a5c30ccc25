\set id random(1, 900)
SELECT o.id, l.item FROM SCHEMA.orders o JOIN SCHEMA.lines l ON l.tenant_id = o.tenant_id AND l.order_id = o.id WHERE o.tenant_id = :tenant AND o.id BETWEEN :id AND :id + 20;
