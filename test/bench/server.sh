#!/usr/bin/env bash
# server.sh [SECONDS]: tenancyd against the stack that one would write with Node, as ratios measured in one
# run on one machine, variants in turn, twice, SECONDS each (default 5). Both are durable: each commit is on
# disk before it is answered. Needs the extension installed and build/tenancyd; makes a throw-away cluster.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
cd "$ROOT"

EACH=${1:-5}
HERE=test/bench/server
CLIENTS=64
STREAMS=64
THINKERS=64 # no more than turns that one tenant may have at once
CONNECTIONS=${CONNECTIONS:-$((4 * $(nproc)))} # to the database, for either side; see docs/load.md

if [[ -z ${CLUSTER_DATA:-} ]]; then
    CLUSTER_CONF=$'fsync = on\nsynchronous_commit = on\nmax_connections = 200\nshared_buffers = 256MB\nmax_wal_size = 4GB' \
        exec scripts/with-cluster.sh "$PWD/test/bench/server.sh" "$@"
fi

sql() { psql -qXAt -v ON_ERROR_STOP=1 -o /dev/null "$@"; }
port() { TAKEN=$(free_port "$WORK$1" "${TAKEN:-}") && echo "$TAKEN"; }
answers() { [[ $(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $TOKEN" "$1") != 000 ]]; }

# start NAME PORT COMMAND...: in the background, until it answers; its pid goes to PIDS[NAME].
start() {
    local name=$1 url=http://127.0.0.1:$2
    shift 2
    "$@" >"$WORK/$name.log" 2>&1 &
    PIDS[$name]=$!
    URLS[$name]=$url
    wait_until 15 answers "$url/" || { show_tail "$WORK/$name.log" && die "$name does not answer"; }
}

start_upstream() { # start_upstream NAME DELAY_MS PAUSE_MS
    local at
    at=$(port "$1")
    start "$1" "$at" env PORT="$at" DELAY_MS="$2" PAUSE_MS="$3" node $HERE/node/upstream.mjs
}

start_tenancyd() { # start_tenancyd NAME UPSTREAM
    local at
    at=$(port "$1")
    cat >"$WORK/$1.yaml" <<END
model: {provider: openai, name: m, endpoint: "${URLS[$2]}"}
server:
  port: $at
  storage: {pool_size: $CONNECTIONS, database_url: "postgresql://bench_app@/tenancyd?host=$PGHOST&port=$PGPORT"}
logging: {level: warn}
END
    start "$1" "$at" build/tenancyd serve --config "$WORK/$1.yaml"
}

start_node() { # start_node NAME UPSTREAM WORKERS
    local at
    at=$(port "$1")
    start "$1" "$at" env NODE_ENV=production PORT="$at" WORKERS="$3" CONNECTIONS="$CONNECTIONS" UPSTREAM="${URLS[$2]}" JWKS="$JWKS" \
        DATABASE_URL="postgresql://bench_app@/node?host=$PGHOST&port=$PGPORT" node $HERE/node/server.mjs
}

# load read|turn SERVER: answers per second with CLIENTS clients, after a second to connect and to grow warm. An answer
# that is no success ends the run.
load() {
    local target=${URLS[$2]}/v1/sessions/s1 script=() seconds
    [[ $1 == read ]] || target=${URLS[$2]}/v1/chat/completions script=(-s "$HERE/post.lua")
    for seconds in 1 "$EACH"; do
        sleep 1 # turns of clients that have gone are still ending, and count among those that may run
        wrk -t 2 -c $CLIENTS -d "${seconds}s" --timeout 10s -H "Authorization: Bearer $TOKEN" "${script[@]}" "$target" >"$WORK/wrk"
    done
    ! grep -E 'Non-2xx|Socket errors' "$WORK/wrk" >&2 || die "$2 did not answer every $1"
    sed -n 's/^Requests\/sec: *//p' "$WORK/wrk"
}

# compare TITLE read|turn SERVER OTHER: both in turn, twice. The rate of SERVER goes to RATE.
compare() {
    local a b
    a=$(load "$2" "$3") b=$(load "$2" "$4")
    a="$a $(load "$2" "$3")" b="$b $(load "$2" "$4")"
    RATE=$(awk '{ print ($1 + $2) / 2 }' <<<"$a")
    awk -v title="$1" -v a="$a" -v b="$b" 'BEGIN {
        split(a, x, " "); split(b, y, " ")
        printf "%-58s %9.0f /s %9.0f /s %6.2f x   (goal >= 5)\n", title, (x[1] + x[2]) / 2, (y[1] + y[2]) / 2, (x[1] + x[2]) / (y[1] + y[2]) }'
}

# Against what the clock allows, and what the same clients get from the model itself.
against_ideal() {
    local rate direct ideal=$((CLIENTS * 10))
    rate=$(load turn slow-tenancyd) direct=$(load turn slow-model)
    awk -v rate="$rate" -v direct="$direct" -v ideal=$ideal 'BEGIN {
        title = "turns with a 100 ms model, against "
        printf "%-58s %9.0f /s %9.0f /s %6.2f x   (goal >= 0.95)\n", title "64 clients / 0.1 s", rate, ideal, rate / ideal
        printf "%-58s %9.0f /s %9.0f /s %6.2f x\n", title "the model itself", rate, direct, rate / direct }'
}

# latency TITLE read|turn MAXIMUM: at half the maximum, as THINKERS independent clients make it.
latency() {
    local target=${URLS[tenancyd]}/v1/sessions/s1 words=("THINK_MS=$((THINKERS * 2000 / ${3%.*}))")
    [[ $2 == read ]] || { target=${URLS[tenancyd]}/v1/chat/completions && words+=(TURNS=1); }
    env "${words[@]}" wrk --latency -t 1 -c $THINKERS -d "${EACH}s" --timeout 10s -H "Authorization: Bearer $TOKEN" \
        -s $HERE/think.lua "$target" >"$WORK/wrk"
    ! grep -E 'Non-2xx|Socket errors' "$WORK/wrk" >&2 || die "tenancyd did not answer every $2"
    awk -v title="$1" '$1 == "50%" || $1 == "99%" { at[$1] = $2 } $1 == "Requests/sec:" { rate = $2 } END {
        printf "%-58s %9.0f /s   p50 %s   p99 %s   (goal p99 < 10 ms)\n", title, rate, at["50%"], at["99%"] }' "$WORK/wrk"
}

memory() {
    printf '%-58s %9s KiB\n' "resident memory for each of $STREAMS open streams" \
        "$(node $HERE/streams.mjs "${URLS[streaming-tenancyd]}" "${PIDS[streaming-tenancyd]}" "$TOKEN" $STREAMS)"
}

set_up() {
    (cd $HERE/node && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null)
    export TENANCY_TEST_KEYS=$WORK/keys
    JWKS=$(test/tools/issuer.sh jwks)
    TOKEN=$(test/tools/issuer.sh token tenant-1 someone 7200)
    createdb tenancyd
    createdb node
    sql -d tenancyd -v jwks="$JWKS" -f $HERE/tenancyd.sql
    sql -d node -f $HERE/node.sql
    start_upstream model 0 0
    start_upstream slow-model 100 0
    start_upstream streaming-model 0 1000
    start_tenancyd tenancyd model
    start_node node model 1
    start_node nodes model "$(nproc)"
    curl -sf -o /dev/null -X PUT -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' "${URLS[tenancyd]}/v1/sessions/s1" \
        -d "$(psql -qXAt -d node -c "SELECT jsonb_build_object('messages', jsonb_agg(message ORDER BY id)) FROM messages")"
}

stop_all() {
    kill "${PIDS[@]}" 2>/dev/null || true
    wait
    rm -rf "$WORK"
}

main() {
    local reads turns
    declare -gA PIDS=() URLS=()
    WORK=$(mktemp -d)
    trap stop_all EXIT
    set_up
    echo "$(nproc) processors, load $(cut -d' ' -f1-3 /proc/loadavg)"
    printf '%-58s %12s %12s\n' "" tenancyd "compared"
    compare "reads of a session, against one Node process" read tenancyd node
    compare "reads of a session, against $(nproc) Node processes" read tenancyd nodes
    reads=$RATE
    compare "turns, against one Node process" turn tenancyd node
    compare "turns, against $(nproc) Node processes" turn tenancyd nodes
    turns=$RATE
    latency "reads at half the maximum" read "$reads"
    latency "turns at half the maximum" turn "$turns"
    start_tenancyd slow-tenancyd slow-model
    against_ideal
    start_tenancyd streaming-tenancyd streaming-model
    memory
}

main
