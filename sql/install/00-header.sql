-- pg_tenancy: a hard wall between the tenants of one deployment.
\echo Use "CREATE EXTENSION pg_tenancy" to load this file. \quit

-- Every name below is schema-qualified; nothing of the installing session's search_path counts.
SET LOCAL search_path TO pg_catalog, pg_temp;
