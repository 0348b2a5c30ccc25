# shellcheck shell=bash
# The database of the development environment: cluster, extension, role, issuer, tenants. Safe to run
# at every start: what exists is kept. Source dev-state.sh and dev-issuer.sh first.

start_database() {
    if ! cluster_exists; then
        say "creating a private PostgreSQL cluster in $CLUSTER_DATA"
        as_server find "$CLUSTER_DATA" -mindepth 1 -delete # of an earlier attempt that was cut short
        cluster_init
    fi
    cluster_configure
    cluster_start
}

setup_database() {
    issuer_keygen "$STATE/issuer"
    issuer_jwks "$STATE/issuer/key.pem" >"$STATE/issuer/jwks.json"
    [[ $(cluster_psql postgres -c "SELECT 1 FROM pg_database WHERE datname = '$DEV_DATABASE'") == 1 ]] ||
        cluster_psql postgres -c "CREATE DATABASE $DEV_DATABASE"
    if [[ $(cluster_psql "$DEV_DATABASE" -c "SELECT 1 FROM pg_extension WHERE extname = 'pg_tenancy'") != 1 ]]; then
        cluster_psql "$DEV_DATABASE" -c "CREATE EXTENSION pg_tenancy"
        extension_sql_hash >"$STATE/sql"
    fi
    check_extension_sql
    ADMIN_PASSWORD=$(secret "$DEV_ADMIN") APP_PASSWORD=$(secret "$DEV_APP") MAINTENANCE_PASSWORD=$(secret "$DEV_MAINTENANCE") \
        JWKS=$(cat "$STATE/issuer/jwks.json") \
        cluster_psql "$DEV_DATABASE" -v app="$DEV_APP" -v admin="$DEV_ADMIN" -v maintenance="$DEV_MAINTENANCE" -v issuer="$DEV_ISSUER" \
        -v audience="$DEV_AUDIENCE" -v claim="$DEV_TENANT_CLAIM" -o /dev/null -f "$ROOT/scripts/dev-setup.sql" ||
        die "could not set up the database $DEV_DATABASE (see above)$(cat "$STATE/stale-sql" 2>/dev/null)"
}

extension_sql_hash() { sha256sum <"$ROOT/sql/pg_tenancy--$(default_version).sql"; }
default_version() { sed -n "s/^default_version *= *'\(.*\)'/\1/p" "$ROOT/extension/pg_tenancy.control"; }

# A database keeps the SQL objects it was made with. Says so when the checkout's differ.
check_extension_sql() {
    rm -f "$STATE/stale-sql"
    [[ $(extension_sql_hash) != "$(cat "$STATE/sql" 2>/dev/null)" ]] || return 0
    local have
    have=$(cluster_psql "$DEV_DATABASE" -c "SELECT extversion FROM pg_extension WHERE extname = 'pg_tenancy'")
    if [[ $have != "$(default_version)" ]] && cluster_psql "$DEV_DATABASE" -c "ALTER EXTENSION pg_tenancy UPDATE"; then
        say "updated the extension in database $DEV_DATABASE from $have to $(default_version)"
        extension_sql_hash >"$STATE/sql"
        return
    fi
    warn "the SQL of pg_tenancy changed since database $DEV_DATABASE was made, which still has the old objects" \
        "($have; no update script leads from there). To start afresh, without the data: make reset, then make up"
    echo "; its SQL objects are older than this checkout, so try make reset, which removes the data" >"$STATE/stale-sql"
}
