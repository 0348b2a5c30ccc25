\set id random(1000000, 9000000000000000000)
INSERT INTO SCHEMA.orders (tenant_id, id, quantity, note) VALUES (:tenant, :id, 1, 'new');
