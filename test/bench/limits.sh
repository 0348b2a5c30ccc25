#!/usr/bin/env bash
# limits.sh [SECONDS]: what rates and budgets cost, as ratios measured in one run on one machine. Each
# figure is measured for SECONDS (default 6), variants in turn, twice. Needs `make install` before; makes
# a throw-away cluster that flushes to disk.
set -euo pipefail
cd "$(dirname "$0")/../.."

EACH=${1:-6}
HERE=test/bench/limits

if [[ -z ${CLUSTER_DATA:-} ]]; then
    CLUSTER_CONF=$'fsync = on\nmax_connections = 200\nshared_buffers = 256MB\nmax_wal_size = 4GB' \
        exec scripts/with-cluster.sh "$PWD/test/bench/limits.sh" "$@"
fi

sql() { psql -qXAt -v ON_ERROR_STOP=1 "$@"; }

make_database() {
    createdb "$1"
    sql -d "$1" -v jwks="$(test/tools/issuer.sh jwks)" -f $HERE/setup.sql >/dev/null
}

# A Valkey of our own, or a Redis, on a Unix socket as the cluster is; it ends with this script. The tools'
# check-rdb is the server when it is called so.
start_valkey() {
    TOOLS=valkey
    [[ -x /usr/bin/valkey-check-rdb ]] || TOOLS=redis
    ln -s "/usr/bin/$TOOLS-check-rdb" "$WORK/$TOOLS-server"
    "$WORK/$TOOLS-server" --port 0 --unixsocket "$WORK/valkey.socket" --save '' --appendonly no --dir "$WORK" >"$WORK/valkey.log" &
    VALKEY=$!
    for _ in {1..100}; do
        [[ ! -S $WORK/valkey.socket ]] || break
        sleep 0.05
    done
    TAKE=$("$TOOLS-cli" -s "$WORK/valkey.socket" SCRIPT LOAD "$(sed -n '/R"lua(/,/)lua"/{//!p}' server/rate/take_script.hpp)")
    [[ $("$TOOLS-cli" -s "$WORK/valkey.socket" EVALSHA "$TAKE" 1 try 60 2 1 | xargs) == "1 60 1 0 1000" ]]
}

# valkey_per_second CLIENTS: decisions of tenancyd's own script per second, on one tenant's key.
valkey_per_second() {
    "$TOOLS-benchmark" -s "$WORK/valkey.socket" -c "$1" --threads 2 -n $((EACH * 30000)) --csv \
        EVALSHA "$TAKE" 1 'tenancy:{tenant-1}:requests' 60000000 60000000 1 | sed -n '2s/^"[^"]*","\([0-9.]*\)".*/\1/p'
}

# per_second CLIENTS SCRIPT [DATABASE]: transactions of a pgbench script per second, as the application.
per_second() {
    [[ $2 != valkey ]] || { valkey_per_second "$1" | grep . && return; }
    pgbench -n -U regress_app -M prepared -c "$1" -j 2 -T "$EACH" -D token="$TOKEN" -f "$HERE/$2.sql" "${3:-bench}" 2>"$ERRORS" |
        sed -n 's/^tps = \([0-9.]*\).*/\1/p' | grep . || { cat "$ERRORS" >&2 && return 1; }
}

# compare TITLE CLIENTS SCRIPT DATABASE OTHER_SCRIPT OTHER_DATABASE GOAL: both in turn, twice.
compare() {
    local a b
    a=$(per_second "$2" "$3" "$4") b=$(per_second "$2" "$5" "$6")
    a="$a $(per_second "$2" "$3" "$4")" b="$b $(per_second "$2" "$5" "$6")"
    awk -v title="$1" -v a="$a" -v b="$b" -v goal="$7" 'BEGIN {
        split(a, x, " "); split(b, y, " ")
        printf "%-66s %9.1f /s   %9.1f /s   %6.2f x   (goal %s)\n", title, (x[1] + x[2]) / 2, (y[1] + y[2]) / 2, (x[1] + x[2]) / (y[1] + y[2]), goal
    }'
}

# against_ideal TITLE SCRIPT DATABASE GOAL: 150 clients that wait for a model 50 ms in each round, against
# 3000 rounds a second, what they could do if nothing but the model took time. Twice.
against_ideal() {
    local runs
    runs=$(per_second 150 "$2" "$3")
    runs="$runs $(per_second 150 "$2" "$3")"
    awk -v title="$1" -v runs="$runs" -v goal="$4" 'BEGIN {
        split(runs, x, " "); rate = (x[1] + x[2]) / 2
        printf "%-66s %9.1f /s   %9.1f /s   %6.2f x   (goal %s)\n", title, rate, 3000, rate / 3000, goal }'
}

# How long begin_turn takes when 500 come in a second, from when each was due: half, 99 of 100, the slowest.
latency() {
    pgbench -n -U regress_app -M prepared -c 32 -j 2 -T "$EACH" -R 500 -D token="$TOKEN" -f $HERE/begin.sql \
        -l --log-prefix="$WORK/latency" bench >/dev/null 2>"$ERRORS" || { cat "$ERRORS" >&2 && return 1; }
    cat "$WORK"/latency* | awk '{ print $3 / 1000 }' | sort -n | awk '{ ms[NR] = $1 } END {
        printf "%-66s %9.2f ms  %9.2f ms  %9.2f ms   (goal p99 < 10)\n", "begin_turn at 500 a second: median, p99, slowest",
            ms[int(NR * 0.5) + 1], ms[int(NR * 0.99) + 1], ms[NR] }'
}

# microseconds CALLS STATEMENT: time of one of the calls that a statement makes in one transaction.
microseconds() {
    sql -d bench -U regress_app -c BEGIN -c "SELECT tenancy.set_tenant_from_jwt('$TOKEN')" -c '\timing on' -c "$2" -c '\timing off' -c COMMIT |
        sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | awk -v n="$1" '{ printf "%.2f", $1 * 1000 / n }'
}

flatness() {
    local take pairs take_many pairs_many
    take=$(microseconds 100000 "SELECT count(t.allowed) FROM generate_series(1, 100000) n, LATERAL tenancy.take_request(1 + 0 * n) t")
    pairs=$(per_second 1 turn bench)
    sql -d bench -f $HERE/tenants.sql
    take_many=$(microseconds 100000 "SELECT count(t.allowed) FROM generate_series(1, 100000) n, LATERAL tenancy.take_request(1 + 0 * n) t")
    pairs_many=$(per_second 1 turn bench)
    awk -v a="$take" -v b="$take_many" -v c="$pairs" -v d="$pairs_many" 'BEGIN {
        printf "%-66s %9.2f us   %9.2f us   %6.2f x   (goal 1)\n", "take_request, 10 tenants and 100,000", a, b, b / a
        printf "%-66s %9.1f /s   %9.1f /s   %6.2f x   (goal 1)\n", "begin + end, one client, 10 tenants and 100,000", c, d, d / c }'
}

# Where a turn spends its time: self times of functions, of one client that does nothing else.
profile() {
    sql -d bench -c "ALTER DATABASE bench SET track_functions = 'all'" -c "SELECT pg_stat_reset()" >/dev/null
    per_second 1 turn bench >/dev/null
    sleep 1
    sql -d bench -F ' ' -f $HERE/profile.sql
    sql -d bench -c "ALTER DATABASE bench RESET track_functions"
}

main() {
    VALKEY=
    WORK=$(mktemp -d)
    ERRORS=$WORK/errors TENANCY_TEST_KEYS=$WORK/keys
    export TENANCY_TEST_KEYS
    trap 'kill "$VALKEY" 2>/dev/null; rm -rf "$WORK"' EXIT
    start_valkey
    make_database bench
    make_database hot_row
    sql -d hot_row -f $HERE/hot_row.sql
    TOKEN=$(test/tools/issuer.sh token tenant-1 someone 7200)
    printf '%-66s %12s   %12s\n' "" "pg_tenancy" "compared"
    compare "GCRA decision against SELECT 1, 8 clients" 8 take bench one bench ">= 0.9"
    compare "GCRA decision against SELECT 1, 64 clients" 64 take bench one bench ">= 0.9"
    compare "hold + settle against hot-row UPDATEs, one tenant, 64 clients" 64 hold_settle bench hold_settle hot_row ">= 4"
    compare "token verified and GCRA decision against Lua in Valkey, 8 clients" 8 take_once bench valkey - "-"
    compare "token verified and GCRA decision against Lua in Valkey, 64 clients" 64 take_once bench valkey - "-"
    compare "begin + end against the same with hot-row counters, 64 clients" 64 turn bench turn hot_row "-"
    compare "begin + end against nothing but hot-row UPDATEs, 64 clients" 64 turn bench hold_settle hot_row "-"
    against_ideal "hold, 50 ms model, settle, against the ideal, 150 clients" hold_settle_50ms bench ">= 0.8"
    against_ideal "begin, 50 ms model, end, against the ideal, 150 clients" turn_50ms bench "-"
    against_ideal "hot-row UPDATE, 50 ms model, UPDATE, against the ideal" hold_settle_50ms hot_row "-"
    latency
    flatness
    echo "self time of functions per begin + end, microseconds, one client:"
    profile
}

main
