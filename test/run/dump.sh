#!/usr/bin/env bash
# dump.sh: a database with protected tables goes through pg_dump and back, and is the same database: the
# tables behind the wall, their registry, and the rows of each tenant. In a throw-away cluster.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
# shellcheck source=test/run/suite.sh
source "$ROOT/test/run/suite.sh"
cd "$ROOT"

BIN=$(dirname "${PG_CONFIG:-$(command -v pg_config)}")
KEYS=build/check/keys

sql() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }

make_source() {
    createdb source
    sql -d source -v jwks="$(TENANCY_TEST_KEYS=$KEYS test/tools/issuer.sh jwks)" -f test/sql/include/dump.psql
}

# In a fixed order; \restrict carries a random key.
dump_of() { "$BIN/pg_dump" -d "$1" | grep -v '^\\\(un\)\?restrict' | sort; }

restored_as() { # restored_as DATABASE pg_dump's options: the source in a new database
    local database=$1
    shift
    createdb "$database"
    case $1 in
    -Fp) "$BIN/pg_dump" -d source "$@" | sql -d "$database" >/dev/null ;;
    *)
        "$BIN/pg_dump" -d source "$@" -f "$WORK/dump"
        "$BIN/pg_restore" -d "$database" --exit-on-error "$WORK/dump"
        ;;
    esac
}

same_dump() { diff <(dump_of source) <(dump_of "$1"); }

# Nothing is left to do, and nothing is on record twice.
still_protected() {
    [[ $(sql -d "$1" -c "SELECT count(*) FROM tenancy.protected_tables, tenancy.protect_table(relation)
        WHERE relation IN ('shop.customers'::regclass, 'shop.orders'::regclass, 'shop.events'::regclass) AND step IS NOT NULL") == 0 ]]
    [[ $(sql -d "$1" -c "SELECT count(*) = count(DISTINCT relation), count(*) FROM tenancy.protected_tables") == "t|19" ]]
}

as_tenant() { # as_tenant DATABASE TENANT SUBJECT: what the application's role reads
    sql -d "$1" -U regress_app -v token="$(TENANCY_TEST_KEYS=$KEYS test/tools/issuer.sh token "$2" "$3")" <<<"
        BEGIN; SET LOCAL tenancy.token = :'token';
        SELECT string_agg(DISTINCT email, ' ') FROM shop.customers; SELECT count(*) FROM shop.orders; SELECT count(*) FROM shop.events_1; COMMIT;"
}
tenants_see_their_own() {
    [[ $(as_tenant "$1" acme alice | xargs) == "a@acme 1 1" && $(as_tenant "$1" globex carol | xargs) == "g@globex 1 0" ]]
}

# The event triggers of the new database know what was protected in the old one.
goes_on_protecting() {
    sql -d "$1" -c "CREATE TABLE shop.events_2 PARTITION OF shop.events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')" \
        -c "CREATE TABLE shop.fresh (id int PRIMARY KEY)" -c "ALTER TABLE shop.exempt ADD COLUMN b int"
    [[ $(sql -d "$1" -c "SELECT tenancy.protect_has_wall('shop.events_2', 'tenant_id') AND tenancy.protect_has_wall('shop.fresh', 'tenant_id')
        AND NOT tenancy.protect_has_wall('shop.exempt', 'tenant_id')") == t ]]
}
can_be_unprotected() {
    [[ $(sql -d "$1" -c "SELECT count(*) FILTER (WHERE action = 'undo') > 0, count(*) FILTER (WHERE action = 'not undone')
        FROM tenancy.unprotect_table('shop.customers', drop_column => true)" 2>/dev/null) == "t|0" ]]
}

in_cluster() {
    WORK=$(mktemp -d)
    trap 'rm -rf "$WORK"' EXIT
    mkdir -p "$KEYS"
    make_source
    local format
    for format in -Fp -Fd; do
        try "a dump $format is restored" restored_as "copy$format" "$format"
        try "$format: the copy's dump is the source's" same_dump "copy$format"
        try "$format: tables are protected, once each" still_protected "copy$format"
        try "$format: each tenant sees its own rows" tenants_see_their_own "copy$format"
        try "$format: new tables and partitions are protected" goes_on_protecting "copy$format"
        try "$format: unprotect_table() knows what to undo" can_be_unprotected "copy$format"
    done
    summary dump
}

if [[ ${1:-} == in_cluster ]]; then in_cluster; else exec scripts/with-cluster.sh "$0" in_cluster; fi
