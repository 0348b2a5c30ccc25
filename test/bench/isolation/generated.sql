SELECT count(*) FROM SCHEMA.items o WHERE o.tenant_id = :tenant AND o.doc_k = 'v7777';
