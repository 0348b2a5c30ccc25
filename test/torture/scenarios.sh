# shellcheck shell=bash
# The scenarios that one server is enough for. Each makes tenants of its own. LONG is 1 in a long run;
# scaled SHORT LONG picks a number.

scaled() { if ((LONG)); then echo "$2"; else echo "$1"; fi; }

# Every way to give a turn up; a client picks one at random for each turn.
MIX=settle,settle,abort,rollback,savepoint,unsettle,prepare,timeout,cancel,deferred,several,twice,meter,leave

# race_round CLIENTS KIND LIMIT: a tenant whose first turns ever are those of the race.
race_round() {
    local name=race-$1-$2-$3-$ROUND
    tenant "$name"
    case $2 in
        requests) sql -c "SELECT tenancy.set_rate_limit('$name', 1, burst => $3)" ;;
        money) budget "$name" day "$3" ;;
        subject) budget "$name" day 1000000 && budget "$name" total "$3" subject ;;
        turns) sql -c "SELECT tenancy.set_rate_limit('$name', max_concurrent => $3)" ;;
    esac >/dev/null
    echo "$name $1 $(token_of "$name")"
}

# All clients at once, on limits that fewer can have than want: exactly as many are admitted.
scenario_race() {
    local clients kind limit name admitted peak
    for ((ROUND = 1; ROUND <= $(scaled 1 6); ROUND++)); do
        for clients in 64 150; do
            for kind in requests money turns $(scaled '' subject); do
                for limit in 1 100; do race_round "$clients" "$kind" "$limit"; done
            done
        done >"$TORTURE/rounds"
        echo "round $ROUND" >"$TORTURE/race.counts"
        "$CLIENT" race 150 "$TORTURE/race.log" <"$TORTURE/rounds" >"$TORTURE/admitted"
        while read -r name admitted peak; do
            limit=${name%-*} limit=${limit##*-}
            check "$name: of all clients at once exactly $limit are admitted (I1, I8)" \
                equals "$admitted $peak" "$limit $limit"
        done <"$TORTURE/admitted"
    done
    settled race race-150-turns-100-1
}

# Turns given up in every way: rolled back, whole or to a savepoint, timed out, cancelled, not prepared.
scenario_giving_up() {
    tenant mix
    tenant mix-small
    budget mix day 1000000
    budget mix-small total 30
    budget mix-small hour 8 session
    observe mix hour 20
    observe mix total 1 session
    observe mix-small total 2 subject
    load mix "$(scaled 12 64)" "$(scaled 4 60)" $MIX 20 mix mix-small
    check "giving up: a live instance's turns are left alone by every sweep" \
        no_rows "SELECT turn_id FROM agent.usage WHERE late"
    settled mix mix mix-small
}

# Turns that take a while, and fewer places than clients.
scenario_turns_at_a_time() {
    tenant places
    sql -c "SELECT tenancy.set_rate_limit('places', max_concurrent => 6)" >/dev/null
    load places "$(scaled 16 150)" "$(scaled 2 20)" run,run,run,rollback,timeout 0 places
    check "turns at a time: the places were taken, and never more than the six there are (I1)" \
        between "$(sed -n 's/.*peak=//p' "$TORTURE/places.counts")" 3 6
    settled places places
}

# Limits set below what is spent, and above it again, under load.
scenario_limits_moved() {
    local before=0 after i
    tenant moved
    budget moved total 1000000
    load moved "$(scaled 8 32)" "$(scaled 5 30)" settle,abort,rollback,unsettle 0 moved &
    local loader=$!
    for ((i = 1; i <= $(scaled 1 10); i++)); do
        wait_until 10 more_admissions moved "$before" || true
        budget moved total 0
        counters_equal_ledger >/dev/null || true # waits for whoever was admitted by the old limit
        before=$(admissions moved)
        sleep 0.5
        after=$(admissions moved)
        check "limit moved below the spend: nobody is admitted, round $i" equals "$after" "$before"
        budget moved total 1000000
        check "limit raised again: turns are admitted, round $i" wait_until 10 more_admissions moved "$after"
        before=$after
    done
    wait $loader
    settled moved moved
}
more_admissions() { (($(admissions "$1") > $2)); }
admissions() { sql -c "SELECT count(*) FROM agent.turns WHERE tenant_id = '$1'"; }

# 64 sessions charge one token each to one conversation after the other, all at about the same time. The
# limit is reached by the very last charge, whichever that is.
scenario_crossings() {
    local conversations rounds
    conversations=$(scaled 30 300)
    tenant crossed
    sql -c "SELECT tenancy.set_budget('crossed', 'total', NULL, 64, 0.5, 'observe', 'session')" >/dev/null
    sql -c "SELECT tenancy.rebuild_counters(ROW('crossed', 's' || n, NULL, NULL, now())) FROM generate_series(1, $conversations) n" >/dev/null
    cat >"$TORTURE/charge.sql" <<'END'
\set n :n + 1
INSERT INTO agent.usage (tenant_id, turn_id, session_id, admitted_at, output_tokens)
VALUES ('crossed', agent.new_id('turn_'), 's' || :n, now(), 1);
END
    # Commits that take a while: more of them at the same time.
    rounds=$(PGOPTIONS='-c commit_delay=10000' pgbench -n -c 64 -j 4 -t "$conversations" -D n=0 -f "$TORTURE/charge.sql" 2>&1 |
        sed -n 's/.*actually processed: \([0-9]*\).*/\1/p')
    check "crossings: all charges were made" equals "$rounds" $((64 * conversations))
    check "crossings: each of $conversations conversations is alerted of once at half, and once at its very last charge" \
        equals "$(sql -F ' ' -c "SELECT kind, count(*), count(DISTINCT scope_value), min(threshold), max(spent_tokens)
            FROM tenancy.alerts WHERE tenant_id = 'crossed' GROUP BY 1 ORDER BY 1" | tr '\n' ' ')" \
        "limit $conversations $conversations 64 64 warn $conversations $conversations 32 32 "
    check "crossings: counters equal the ledger (I4)" counters_equal_ledger
}

# kill_backend: kill -9 of one random session of the application. The postmaster then ends all others
# and starts with empty shared memory.
kill_backend() {
    local victim
    victim=$(pgrep -P "$(cluster_pid)" -f ' regress_app ' | shuf -n 1) || return 0
    [[ -z $victim ]] || kill -9 "$victim" 2>/dev/null || true
}

scenario_backends_killed() {
    local end kills=0 who tenants=(killed-1 killed-2 killed-3)
    for who in "${tenants[@]}"; do
        tenant "$who"
        budget "$who" total 1000000
        budget "$who" day 100000 session
        observe "$who" hour 50
        observe "$who" total 10 session
    done
    load killed "$(scaled 12 64)" "$(scaled 6 120)" settle,settle,abort,rollback,unsettle,leave,meter 5 "${tenants[@]}" &
    local loader=$!
    end=$((SECONDS + $(scaled 5 118)))
    while ((SECONDS < end)); do
        sleep 0.9
        kill_backend
        kills=$((kills + 1))
    done
    wait $loader
    wait_until 20 is_up
    check "backends killed: sessions were killed under load" between $kills 3 100000
    settled killed "${tenants[@]}"
}
is_up() { sql -c "SELECT 1" >/dev/null 2>&1; }

# The windows of a turn are those it was admitted in, whenever it ends. The server is restarted
# between, so that the counters come from rows.
scenario_windows() {
    local old new claim exceptions table
    tenant window
    budget window day 2
    budget window hour 2
    budget window month 1000
    old=$(begin_turn window)
    for table in turns traces; do
        sql -c "UPDATE agent.$table SET started_at = date_trunc('day', now(), 'UTC') - interval '1 second' WHERE tenant_id = 'window'"
    done
    restart fast
    new=$(begin_turn window)
    check "windows: a hold of yesterday leaves today's budget whole" equals "${new%% *}" 200
    check "windows: and the second turn of today fits too" equals "$(begin_turn window | cut -d' ' -f1)" 200
    check "windows: but not a third" equals "$(begin_turn window)" "429 budget_held"
    check "windows: a turn of yesterday settles today" equals "$(end_turn "${old#* }")" 200
    check "windows: into yesterday's window" no_rows "SELECT * FROM agent.usage
        WHERE tenant_id = 'window' AND admitted_at >= date_trunc('day', now(), 'UTC')"
    check "windows: counters equal the ledger on both sides (I4)" counters_equal_ledger
    check "windows: a turn of today settles" equals "$(end_turn "${new#* }" 40)" 200
    check "windows: which makes no room for a third" equals "$(begin_turn window)" "429 budget_held"
    check "windows: counters equal the ledger after all (I4)" counters_equal_ledger
    sql -f "$ROOT/test/torture/windows.sql" >"$TORTURE/windows.out"
    while IFS='|' read -r claim exceptions; do
        check "windows: $claim" equals "$exceptions" ""
    done <"$TORTURE/windows.out"
}

# With room for 64 counters, many more in use, and all dropped a thousand times a second: counters are
# rebuilt all the time, and often gone again before they were asked, so that the rows decide.
scenario_few_slots() {
    local who tenants=(crowd-1 crowd-2 crowd-3 crowd-4 crowd-5 crowd-6)
    restart fast "tenancy.max_slots = 64"
    for who in "${tenants[@]}"; do crowded "$who"; done
    open_session "SET statement_timeout = 0;" postgres
    echo "SELECT count(tenancy.slots_drop()), count(pg_sleep(0.0005)) FROM generate_series(1, 100000000);" >&7
    load crowd "$(scaled 16 64)" "$(scaled 4 60)" settle,settle,abort,rollback,unsettle,twice 300 "${tenants[@]}"
    ROUND=slots
    race_round 16 money 40 >"$TORTURE/rounds"
    echo "race" >"$TORTURE/few-slots.counts"
    "$CLIENT" race 16 "$TORTURE/few-slots.log" <"$TORTURE/rounds" >"$TORTURE/admitted"
    check "few slots: all counters were dropped under load, all the time" equals \
        "$(sql -c "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE '%slots_drop()%' AND pid <> pg_backend_pid()")" 1
    close_session
    check "few slots: nobody was told to come back for want of room" no_word not_ready "$TORTURE/crowd.counts"
    check "few slots: of 16 clients at once exactly 40 turns are admitted (I1, I8)" \
        equals "$(cut -d' ' -f2,3 "$TORTURE/admitted")" "40 40"
    settled crowd crowd-1
    settled few-slots
    rebuild_waits
    restart fast
}
no_word() { if grep "$1" "$2"; then return 1; fi; }

# crowded TENANT: thirteen counters that bind each of its turns.
crowded() {
    tenant "$1"
    sql -c "SELECT tenancy.set_budget('$1', w, 100, scope => s)
        FROM unnest('{hour,day,month,total}'::text[]) w, unnest('{tenant,subject,model}'::text[]) s" >/dev/null
    budget "$1" day 3 session
}

# A transaction with a hold is open while its tenant's counters are dropped: whoever rebuilds them waits.
rebuild_waits() {
    local blocked
    tenant waits
    budget waits total 2
    begin_turn waits >/dev/null # builds the counter, so that the next one need not
    mkfifo "$TORTURE/open"
    as_app <"$TORTURE/open" >"$TORTURE/open.out" &
    local holder=$!
    exec 8<>"$TORTURE/open"
    echo "BEGIN; SELECT status FROM agent.begin_turn('$(token_of waits)', '{\"model\": \"m\", \"max_tokens\": 100, \"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}');" >&8
    wait_until 10 test -s "$TORTURE/open.out"
    sql -c "SELECT tenancy.slots_drop()" >/dev/null
    check "few slots: the counter of an open transaction was dropped" no_rows "SELECT * FROM tenancy.slots() WHERE tenant_id = 'waits' AND budget_id > 0"
    blocked=$(PGOPTIONS='-c statement_timeout=700ms' begin_turn waits 2>&1) || true
    check "few slots: a rebuild waits for a transaction that holds" grep -q 'statement timeout' <<<"$blocked"
    echo 'COMMIT;' >&8
    exec 8>&-
    wait $holder
    check "few slots: and then counts its hold (I1)" equals "$(begin_turn waits)" "429 budget_held"
    check "few slots: counters equal the ledger (I4)" counters_equal_ledger
}
