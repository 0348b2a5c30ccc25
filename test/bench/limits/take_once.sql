SELECT t.allowed FROM (SELECT tenancy.set_tenant_from_jwt(:token) AS tenant OFFSET 0) s, LATERAL tenancy.take_request(1 + 0 * length(s.tenant)) t;
