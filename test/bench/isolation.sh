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
KINDS=(by_hand with_token walled setting claims alone)

if [[ -z ${CLUSTER_DATA:-} ]]; then
    CLUSTER_CONF=$'shared_buffers = 1GB\nmax_wal_size = 4GB\njit = off' exec scripts/with-cluster.sh "$PWD/test/bench/isolation.sh" "$@"
fi

sql() { psql -qXAt -v ON_ERROR_STOP=1 "$@"; }

# The statement of a workload for one kind: the tables by hand, whose statements name the tenant, or others.
statement() {
    case $2 in
    by_hand | with_token | alone) sed "s/SCHEMA/$2/g" "$HERE/$1.sql" ;;
    *) sed -E "s/SCHEMA/$2/g; s/\w+\.tenant_id = :tenant AND //; s/\(tenant_id, /(/; s/\(:tenant, /(/" "$HERE/$1.sql" ;;
    esac
}

# The transaction: each sets its tenant by one call before, but for alone, which is the statement alone.
transaction() {
    local set="SELECT set_config('app.tenant', :tenant, true);"
    case $2 in
    with_token | walled) set="SELECT tenancy.set_tenant_from_jwt(:token);" ;;
    claims) set="SELECT set_config('app.claims', :claims, true);" ;;
    alone) statement "$1" "$2" && return ;;
    esac
    printf '%s\n' "BEGIN;" "$set" "$(statement "$1" "$2")" "COMMIT;"
}

# medians: of pgbench's log, the median time of each script, in microseconds, in the order of KINDS.
medians() {
    cat "$WORK"/log.* | sort -k4,4n -k3,3n | awk -v kinds=${#KINDS[@]} '{ t[$4, ++n[$4]] = $3 } END {
        for (s = 0; s < kinds; s++) {
            if (n[s] < 5) { print "too few transactions in the time given" >"/dev/stderr"; exit 1 }
            printf "%s ", t[s, int((n[s] + 1) / 2)]
        } }'
}

# measure WORKLOAD TENANT TOKEN: the median times of its transactions.
measure() {
    local kind files=()
    for kind in "${KINDS[@]}"; do
        transaction "$1" "$kind" >"$WORK/$kind.sql"
        files+=(-f "$WORK/$kind.sql")
    done
    rm -f "$WORK"/log.*
    pgbench -n -U regress_app -M prepared -T $((EACH * ${#KINDS[@]})) -l --log-prefix="$WORK/log" -D "tenant=$2" -D "token=$3" \
        -D "claims={\"iss\": \"https://dev.issuer.example\", \"org_id\": \"$2\", \"sub\": \"someone\", \"aud\": \"agents\"}" \
        "${files[@]}" >/dev/null 2>"$WORK/errors" || { cat "$WORK/errors" >&2 && return 1; }
    medians
}

# compare TITLE WORKLOAD TENANT TOKEN
compare() {
    measure "$2" "$3" "$4" | awk -v title="$1" '{
        printf "%-38s %8.0f /s %8.2f x %10.2f x %8.2f x %8.2f x %8.2f x\n", title, 1e6 / $1, $2 / $3, $1 / $3, $1 / $4, $1 / $5, $6 / $3 }'
}

# operator TITLE WORKLOAD TOKEN
operator() {
    local KINDS=(with_token walled)
    measure "$2" tenant-1 "$3" | awk -v title="$1" '{ printf "%-38s %8.2f ms %8.2f ms %8.2f x\n", title, $1 / 1000, $2 / 1000, $1 / $2 }'
}

# Conditions that no index takes behind the wall, and what cures them; 100,000 rows of one tenant.
operators() {
    printf '\n%-38s %11s %11s %10s\n' "not LEAKPROOF, whole transactions" "by hand" "walled" "walled"
    operator "numeric =" numeric "$1"
    operator "numeric BETWEEN" numeric_range "$1"
    operator "enum =" enum "$1"
    operator "LIKE 'abc%'" like "$1"
    operator "jsonb @>, GIN" jsonb "$1"
    sql -c "SELECT tenancy.leakproof_operators(dry_run => false)" >/dev/null
    operator "numeric =, leakproof_operators()" numeric "$1"
    operator "numeric BETWEEN, the same" numeric_range "$1"
    operator "enum =, the same" enum "$1"
    operator "^@ 'abc' in place of LIKE" prefix "$1"
    operator "generated column in place of jsonb @>" generated "$1"
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
    printf '%-38s %11s %10s %12s %10s %10s %10s\n' "throughput, and shares of it" "by hand" "walled" "and token" "setting" "JSON" "alone"
    compare "point read" point tenant-2 "$small"
    compare "range, 20 newest rows" range tenant-2 "$small"
    compare "aggregate of 1,000 rows" aggregate tenant-2 "$small"
    compare "join of two tables, 20 x 2 rows" join tenant-2 "$small"
    compare "aggregate of 100,000 rows of 200,000" aggregate tenant-1 "$large"
    PGOPTIONS="-c enable_indexscan=off -c enable_bitmapscan=off" compare "the same, all by a parallel scan" aggregate tenant-1 "$large"
    compare "update" update tenant-2 "$small"
    compare "insert" insert tenant-2 "$small"
    cat <<END
by hand: WHERE tenant_id = ... after set_config() in the same transaction, which setting and JSON have as well.
walled: against by hand with the same token call, so of the policies alone; the goal is >= 0.95. and token: against by hand with set_config().
setting, JSON: policies with current_setting() and with a claim of a JSON setting. alone: walled, in four round trips, against
the hand-written statement in one. Send BEGIN, the token and the statement in one message (a pipeline) to have most of that back.
END
    operators "$large"
}

main
