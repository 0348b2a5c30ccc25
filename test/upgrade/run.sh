#!/usr/bin/env bash
# run.sh: ALTER EXTENSION UPDATE leads to the same catalog as CREATE EXTENSION, and keeps the data. For each
# released version whose install script is kept here, pg_tenancy--VERSION.sql; and, to prove the
# comparison itself, for a version that lacks one piece of today's script.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
# shellcheck source=test/run/suite.sh
source "$ROOT/test/run/suite.sh"
cd "$ROOT"

NOW=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" extension/pg_tenancy.control)
PIECE=sql/install/88-tenant-tools.sql # nothing is made of what it makes
SCRIPTS=$(pg_bin)/pg_config
SCRIPTS=$("$SCRIPTS" --sharedir)/extension

sql() { psql -qXAt -v ON_ERROR_STOP=1 "$@"; }
catalog() { sql -d "$1" -f test/upgrade/catalog.sql >"$WORK/$1"; }
rows() { # rows DATABASE: how many each table of the extension has
    sql -d "$1" -c "SELECT c.oid::regclass, (xpath('//n/text()', query_to_xml(format('SELECT count(*) n FROM %s', c.oid::regclass), false, true, '')))[1]
        FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace::regnamespace::text IN ('tenancy', 'agent') ORDER BY c.oid::regclass::text"
}

# script NAME: an install or update script, from stdin, where the server looks for it until this ends.
script() {
    cat >"$WORK/$1"
    as_root install -m 0644 "$WORK/$1" "$SCRIPTS/$1"
    INSTALLED+=("$SCRIPTS/$1")
}

make_database() { # make_database NAME VERSION
    sql -d postgres -c "CREATE DATABASE $1"
    sql -d "$1" -c "CREATE EXTENSION pg_tenancy VERSION '$2'"
}

# What is there before the update must be there after it.
fill() {
    sql -d "$1" -o /dev/null <<'END'
SELECT tenancy.add_issuer('https://dev.issuer.example', '{agents}', 'org_id');
SELECT tenancy.add_tenant(t, 'https://dev.issuer.example', t) FROM unnest('{acme,globex}'::text[]) t;
SELECT tenancy.set_rate_limit('acme', requests_per_minute => 60);
SELECT tenancy.set_budget('acme', 'month', limit_usd => 5);
CREATE TABLE public.notes (id int PRIMARY KEY, note text);
SELECT tenancy.protect_table('public.notes');
INSERT INTO public.notes (tenant_id, id) VALUES ('acme', 1), ('globex', 1);
END
}

updates_from() { # updates_from VERSION DATABASE
    make_database "$2" "$1"
    fill "$2"
    rows "$2" >"$WORK/before"
    sql -d "$2" -c "ALTER EXTENSION pg_tenancy UPDATE"
    rows "$2" >"$WORK/after"
    catalog "$2"
}
keeps_data() { comm -23 "$WORK/before" "$WORK/after" | diff /dev/null -; [[ $(grep -c '|[1-9]' "$WORK/before") -ge 6 ]]; }
is_as_new() { diff "$WORK/fresh" "$WORK/$1"; } # is_as_new DATABASE

# Each is something that an update script can forget or get wrong.
CHANGES=(
    "ALTER FUNCTION tenancy.current_tenant() VOLATILE"
    "ALTER FUNCTION tenancy.grant_app(name) RESET search_path"
    "GRANT EXECUTE ON FUNCTION tenancy.revoke_key(text, text) TO PUBLIC"
    "COMMENT ON FUNCTION tenancy.channel(text) IS 'other'"
    "GRANT SELECT ON tenancy.tenants TO PUBLIC"
    "ALTER TABLE agent.sessions NO FORCE ROW LEVEL SECURITY"
    "ALTER POLICY tenant_wall ON agent.traces USING (true)"
    "COMMENT ON POLICY tenant_wall ON agent.traces IS NULL"
    "ALTER TABLE agent.usage DISABLE TRIGGER ledger_is_kept"
    "ALTER TABLE agent.sessions ALTER COLUMN tenant_id DROP DEFAULT"
    "ALTER TABLE agent.messages DROP CONSTRAINT messages_pkey CASCADE"
    "DROP INDEX agent.usage_time"
    "ALTER EXTENSION pg_tenancy DROP FUNCTION tenancy.channel(text)"
    "ALTER EVENT TRIGGER tenancy_protect_drop DISABLE"
    "DELETE FROM tenancy.protected_tables WHERE relation = 'agent.spans'::regclass"
    "UPDATE pg_extension SET extcondition[1] = 'WHERE false' WHERE extname = 'pg_tenancy'"
)
changed() { # changed CHANGE: the catalog with it
    sql -d fresh -c BEGIN -c "SET LOCAL allow_system_table_mods = on" -c "$1" -f test/upgrade/catalog.sql -c ROLLBACK >"$WORK/changed"
}
sees() { changed "$1" && ! diff -q "$WORK/fresh" "$WORK/changed"; }
unseen() { changed "$1" && diff "$WORK/fresh" "$WORK/changed"; }

in_cluster() {
    WORK=$(mktemp -d)
    INSTALLED=()
    trap 'as_root rm -f "${INSTALLED[@]}"; rm -rf "$WORK"' EXIT
    make_database fresh "$NOW"
    catalog fresh
    local change version
    try "nothing is noticed where nothing changed" unseen "SET LOCAL work_mem = '5MB'"
    for change in "${CHANGES[@]}"; do try "noticed: $change" sees "$change"; done

    script "pg_tenancy--less.sql" < <(find sql/install -name '*.sql' ! -path "$PIECE" -print0 | LC_ALL=C sort -z | xargs -0 cat)
    script "pg_tenancy--less--$NOW.sql" < <(cat sql/install/00-header.sql "$PIECE")
    try "a version without one piece is updated" updates_from less updated
    try "its data is kept" keeps_data
    try "its catalog is that of a new installation" is_as_new updated

    for version in test/upgrade/pg_tenancy--*.sql; do
        [[ -e $version ]] || { say "nothing has been released yet: no install script is kept in test/upgrade" && break; }
        script "${version##*/}" <"$version"
        version=${version#*--} version=${version%.sql}
        try "$version is updated" updates_from "$version" "from_$version"
        try "$version: its data is kept" keeps_data
        try "$version: its catalog is that of a new installation" is_as_new "from_$version"
    done
    summary upgrade
}

if [[ ${1:-} == in_cluster ]]; then in_cluster; else exec scripts/with-cluster.sh "$0" in_cluster; fi
