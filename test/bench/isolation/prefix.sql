SELECT count(*) FROM SCHEMA.items o WHERE o.tenant_id = :tenant AND o.name ^@ 'name 7777';
