# shellcheck shell=bash
# A tenancyd that is killed while it streams, and another that finds its turns.

STREAMS=6
# What it can have sent after it last wrote down how much: two seconds' worth of one piece in 100 ms, the
# piece that makes the two seconds full, and one on the way.
ONE_INTERVAL=22
TENANCYD_PIDS=()

# tenancyd_begin NAME: an echo model that takes its time; sets TENANCYD_URL.
tenancyd_begin() {
    local file=$TORTURE/$1.yaml port storage="@/$PGDATABASE?host=$CLUSTER_SOCKET&port=$PGPORT"
    port=$(free_port "$file" "$PGPORT")
    as_server tee "$file" >/dev/null <<END
agent: {name: torture, description: an agent under test}
model: {provider: echo, name: m, echo_delay_ms: 100}
server:
  host: 127.0.0.1
  port: $port
  storage:
    database_url: postgresql://regress_app$storage
    maintenance_url: postgresql://regress_maintenance$storage
END
    (exec_as_server "$TORTURE/tenancyd" serve --config "$file") >"$TORTURE/$1.log" 2>&1 &
    TENANCYD_PIDS+=($!)
    TENANCYD_URL=http://127.0.0.1:$port
    wait_until 60 curl -sf -o /dev/null "$TENANCYD_URL/readyz" || die "tenancyd is not ready: $(tail -n 5 "$TORTURE/$1.log")"
}

tenancyd_end() {
    local pid
    for pid in "${TENANCYD_PIDS[@]}"; do
        kill -9 "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    TENANCYD_PIDS=()
}

# stream NUMBER: one streamed turn of a session of its own, what arrives in $TORTURE/stream.NUMBER.
stream() {
    local words
    words=$(printf 'word %.0s' {1..600})
    curl -sN -o "$TORTURE/stream.$1" -H "Authorization: Bearer $(token_of streamed)" -H 'Content-Type: application/json' \
        -d "{\"model\": \"m\", \"stream\": true, \"session_id\": \"stream-$1\", \"messages\": [{\"role\": \"user\", \"content\": \"$words\"}]}" \
        "$TENANCYD_URL/v1/chat/completions" || true
}

open_streams() { [[ $(sql -c "SELECT count(*) FROM agent.turns WHERE tenant_id = 'streamed' AND status = 'open' AND $1") == "$2" ]]; }

# Every stream's charge against what its client has received.
charged_for_delivery() {
    local i sent charged status=0
    for ((i = 1; i <= STREAMS; i++)); do
        sent=$(grep -c '"content":' "$TORTURE/stream.$i" || true)
        charged=$(sql -c "SELECT coalesce(sum(output_tokens), -1) FROM agent.usage WHERE tenant_id = 'streamed' AND session_id = 'stream-$i'")
        ((sent > 0 && charged > 0 && charged >= sent - ONE_INTERVAL)) || { echo "stream $i: $sent sent, $charged charged" && status=1; }
    done
    return $status
}

scenario_tenancyd_killed() {
    local i streams=() dying
    tenant streamed
    budget streamed total 1000000
    as_root install -m 755 "$ROOT/build/tenancyd" "$TORTURE/tenancyd"
    tenancyd_begin other
    tenancyd_begin dying
    dying=${TENANCYD_PIDS[-1]}
    for ((i = 1; i <= STREAMS; i++)); do
        stream "$i" &
        streams+=($!)
    done
    check "tenancyd killed: every stream is metered on its way" wait_until 60 open_streams "metered_output_tokens > 0" $STREAMS
    sleep 1
    check "tenancyd killed: while it lives the other one leaves its turns alone" open_streams true $STREAMS
    kill -9 "$dying"
    wait "$dying" 2>/dev/null || true
    wait "${streams[@]}" || true
    check "tenancyd killed: its lock is free, so the other one ends its turns" wait_until 60 open_streams true 0
    check "tenancyd killed: each is charged what was delivered, but for one interval (I2, I3)" charged_for_delivery
    check "tenancyd killed: a turn has its charge, trace and audit row together, once (I5)" no_rows "SELECT * FROM torture.torn"
    check "tenancyd killed: charges and holds are within every limit (I1)" no_rows "SELECT * FROM torture.over_limit"
    check "tenancyd killed: counters equal the ledger (I4)" counters_equal_ledger
    check "tenancyd killed: the tenant can spend all but less than one hold (I8)" can_spend_the_rest streamed
    tenancyd_end
}
