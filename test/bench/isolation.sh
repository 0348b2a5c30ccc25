#!/usr/bin/env bash
# isolation.sh [SECONDS]: what the wall costs: tables protected by protect_table() against the same data with a
# hand-written WHERE tenant_id = ... and no row security, and two common kinds of policies against the same.
# One client; it takes a transaction of each kind at random, in one session, so that all see the same machine;
# rates are of the median times. SECONDS (default 3) a figure. Needs `make install` before; makes a throw-away
# cluster that does not flush to disk, so that no waiting for the disk hides what the wall costs.
set -euo pipefail
cd "$(dirname "$0")/../.."

EACH=${1:-3}
HERE=test/bench/isolation
KINDS=(by_hand walled setting claims bare)

if [[ -z ${CLUSTER_DATA:-} ]]; then
    CLUSTER_CONF=$'shared_buffers = 512MB\nmax_wal_size = 4GB\njit = off' exec scripts/with-cluster.sh "$PWD/test/bench/isolation.sh" "$@"
fi

sql() { psql -qXAt -v ON_ERROR_STOP=1 "$@"; }

# The statement of a workload for one kind of tables. Only by_hand and bare name the tenant themselves.
statement() {
    case $2 in
    by_hand | bare) sed 's/SCHEMA/by_hand/g' "$HERE/$1.sql" ;;
    *) sed -E "s/SCHEMA/$2/g; s/\w+\.tenant_id = :tenant AND //; s/\(tenant_id, /(/; s/\(:tenant, /(/" "$HERE/$1.sql" ;;
    esac
}

# The transaction: each sets its tenant by one call before, but for bare, which is the statement alone.
transaction() {
    local set="SELECT set_config('app.tenant', :tenant, true);"
    case $2 in
    walled) set="SELECT tenancy.set_tenant_from_jwt(:token);" ;;
    claims) set="SELECT set_config('app.claims', :claims, true);" ;;
    bare) statement "$1" "$2" && return ;;
    esac
    printf '%s\n' "BEGIN;" "$set" "$(statement "$1" "$2")" "COMMIT;"
}

# medians: of pgbench's log, the median time of each script, in microseconds, in the order of KINDS.
medians() {
    sort -k4,4n -k3,3n | awk '{ t[$4, ++n[$4]] = $3 } END { for (s = 0; s in n; s++) printf "%s ", t[s, int((n[s] + 1) / 2)] }'
}

# compare TITLE WORKLOAD TENANT TOKEN
compare() {
    local kind files=()
    for kind in "${KINDS[@]}"; do
        transaction "$2" "$kind" >"$WORK/$kind.sql"
        files+=(-f "$WORK/$kind.sql")
    done
    rm -f "$WORK"/log.*
    pgbench -n -U regress_app -M prepared -T $((EACH * ${#KINDS[@]})) -l --log-prefix="$WORK/log" -D "tenant=$3" -D "token=$4" \
        -D "claims={\"iss\": \"https://dev.issuer.example\", \"org_id\": \"$3\", \"sub\": \"someone\", \"aud\": \"agents\"}" \
        "${files[@]}" >/dev/null 2>"$WORK/errors" || { cat "$WORK/errors" >&2 && return 1; }
    medians <<<"$(cat "$WORK"/log.*)" | awk -v title="$1" '{
        printf "%-38s %8.0f /s %8.2f x %8.2f x %8.2f x %12.2f x\n", title, 1e6 / $1, $1 / $2, $1 / $3, $1 / $4, $5 / $2 }'
}

main() {
    WORK=$(mktemp -d)
    TENANCY_TEST_KEYS=$WORK/keys
    export TENANCY_TEST_KEYS
    trap 'rm -rf "$WORK"' EXIT
    sql -v jwks="$(test/tools/issuer.sh jwks)" -f $HERE/setup.sql >/dev/null
    local small large
    small=$(test/tools/issuer.sh token tenant-2 someone 7200)
    large=$(test/tools/issuer.sh token tenant-1 someone 7200)
    printf '%-38s %11s %10s %10s %10s %14s\n' "throughput as a share of by hand's" "by hand" "walled" "setting" "JSON" "all with token"
    compare "point read" point tenant-2 "$small"
    compare "range, 20 newest rows" range tenant-2 "$small"
    compare "insert" insert tenant-2 "$small"
    compare "update" update tenant-2 "$small"
    compare "aggregate of 1,000 rows" aggregate tenant-2 "$small"
    compare "join of two tables, 20 x 2 rows" join tenant-2 "$small"
    compare "parallel scan, 100,000 of 300,000 rows" aggregate tenant-1 "$large"
    echo "walled: the goal is >= 0.95. setting, JSON: policies with current_setting() and with a claim of a JSON setting."
    echo "all with token: BEGIN, token, statement and COMMIT against the hand-written statement alone."
}

main
