# shellcheck shell=bash
# Crashes and restarts of the server, and promotion of its standby.

# restart MODE [LINE]: stops the server in a mode of pg_ctl, or with kill (-9 of the postmaster), and
# starts it, with a line of configuration if given.
restart() {
    if [[ $1 == kill ]]; then
        kill -9 "$(cluster_pid)"
        wait_until 30 cluster_is_deserted
    else
        as_server "$(pg_bin)/pg_ctl" -D "$CLUSTER_DATA" -m "$1" -w stop >/dev/null 2>&1 </dev/null
    fi
    echo "${2:-}" | as_server tee "$CLUSTER_DATA/torture.conf" >/dev/null
    cluster_start
}

# The postmaster is killed, and the server stopped like by a power cut, under load.
scenario_server_killed() {
    local i ticket
    tenant crashed
    tenant resting
    budget crashed total 1000000
    budget crashed day 100000 session
    budget resting total 10
    ticket=$(begin_turn resting)
    load crashed "$(scaled 12 64)" "$(scaled 6 120)" settle,abort,rollback,unsettle,leave 5 crashed &
    local loader=$!
    for ((i = 1; i <= $(scaled 1 12); i++)); do
        sleep "$(scaled 1.5 3)"
        restart kill
        # The first thing this tenant does with empty counters is a settle.
        if ((i == 1)); then settle_first "${ticket#* }"; fi
        sleep "$(scaled 1.5 3)"
        restart immediate
    done
    wait $loader
    settled crashed crashed resting
}

settle_first() {
    check "server killed: a turn settles before any counter was rebuilt" equals "$(end_turn "$1" 60)" 200
    check "server killed: which leaves no counter behind that is short (I4)" counters_equal_ledger
    sql -c "SELECT tenancy.set_budget('resting', 'total', 0.00015)" >/dev/null # 60 of 150 tokens are spent
    check "server killed: nor an unlimited budget (I1)" equals "$(begin_turn resting)" "402 insufficient_quota"
}

# A standby that commits wait for.
synchronous_standby() {
    standby_start "$TORTURE"
    sql -c "ALTER SYSTEM SET synchronous_standby_names = '*'" -c "SELECT pg_reload_conf()" >/dev/null
    wait_until 15 standby_is_synchronous
}
standby_is_synchronous() { [[ $(sql -c "SELECT sync_state FROM pg_stat_replication") == sync ]]; }

# Failover under load. The cluster is the promoted standby from then on: this scenario comes last.
scenario_promotion() {
    tenant moved-over
    tenant tried
    budget moved-over total 1000000
    budget moved-over day 100000 session
    budget tried total 1.5
    synchronous_standby
    check "promotion: a standby admits no turn" equals \
        "$(on_standby begin_turn tried 2>/dev/null || echo refused)" refused
    end_turn "$(begin_turn tried | cut -d' ' -f2)" >/dev/null
    PGHOST=$CLUSTER_SOCKET,$STANDBY_SOCKET PGPORT=$PGPORT,$STANDBY_PORT PGTARGETSESSIONATTRS=read-write \
        load promoted "$(scaled 10 64)" "$(scaled 5 60)" settle,abort,rollback,unsettle,leave 5 moved-over &
    local loader=$!
    sleep "$(scaled 2 30)"
    kill -9 "$(cluster_pid)"
    standby_promote
    export PGHOST=$STANDBY_SOCKET PGPORT=$STANDBY_PORT
    sql -c "ALTER SYSTEM RESET synchronous_standby_names" -c "SELECT pg_reload_conf()" >/dev/null
    wait $loader
    check "promotion: what was spent before is spent (I1)" equals "$(begin_turn tried)" "402 insufficient_quota"
    settled promoted moved-over tried
}
