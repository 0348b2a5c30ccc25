-- What the development database holds besides the extension: the application role, one issuer with its
-- key, two tenants. Run at every start; keeps what is there. Passwords come in the environment, not on
-- the command line.
\getenv admin_password ADMIN_PASSWORD
\getenv app_password APP_PASSWORD
\getenv maintenance_password MAINTENANCE_PASSWORD
\getenv jwks JWKS

BEGIN;
SELECT NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'app') AS no_app,
       NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'maintenance') AS no_maintenance,
       NOT EXISTS (SELECT FROM tenancy.issuers WHERE issuer = :'issuer') AS no_issuer
\gset

\if :no_app
CREATE ROLE :"app" LOGIN;
\endif
ALTER ROLE :"app" PASSWORD :'app_password';
\if :no_maintenance
CREATE ROLE :"maintenance" LOGIN;
\endif
ALTER ROLE :"maintenance" PASSWORD :'maintenance_password';
ALTER ROLE :"admin" PASSWORD :'admin_password';
SELECT tenancy.grant_app(:'app'), tenancy.grant_maintenance(:'maintenance');
SELECT count(*) AS revoked_from_public FROM tenancy.harden(dry_run => false);

-- Not again: it would undo what a developer changed in the issuer's policy.
\if :no_issuer
SELECT tenancy.add_issuer(:'issuer', ARRAY[:'audience'], tenant_claim => :'claim');
\endif
SELECT * FROM tenancy.load_jwks(:'issuer', :'jwks');
SELECT tenancy.add_tenant('acme', :'issuer', 'acme'), tenancy.add_tenant('globex', :'issuer', 'globex');
COMMIT;
