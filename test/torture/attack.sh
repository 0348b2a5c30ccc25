# shellcheck shell=bash
# Attacks of the application's role that take more than one session; attack.sql has the others.

# Counts the claims of attack.sql as ours.
count_claims() {
    local line
    while IFS= read -r line; do
        case $line in
            ok\ -\ *) PASSED=$((PASSED + 1)) ;;
            *) FAILED=$((FAILED + 1)) && [[ $line == "not ok - "* ]] || line="not ok - $line" ;;
        esac
        echo "${line/ - / - attack: }"
    done
}

# open_session SQL [ROLE]: a session that stays open after SQL, until close_session.
open_session() {
    rm -f "$TORTURE/session" && mkfifo "$TORTURE/session"
    sql -U "${2:-regress_app}" <"$TORTURE/session" >"$TORTURE/session.out" 2>&1 &
    SESSION=$!
    exec 7<>"$TORTURE/session" # also read, so that a session that ended early is no SIGPIPE
    printf '%s\n\\echo ready\n' "$1" >&7
    wait_until 10 grep -q ready "$TORTURE/session.out"
}
close_session() {
    exec 7>&-
    wait "$SESSION" || true
}

ledger_locks() { sql -c "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = x'7E01'::int"; }
victim_begins() { PGOPTIONS='-c statement_timeout=2s' begin_turn victim 2>&1 | cut -d' ' -f1; }

scenario_attack() {
    local foreign
    tenant mallory
    tenant victim
    budget mallory total 100
    budget victim total 100
    foreign=$(begin_turn victim | cut -d' ' -f2)
    # What is tried here must fail without the guards, too.
    sql -c "ALTER ROLE regress_app SET tenancy.guard = 'off'" >/dev/null
    as_app -v token="$(token_of mallory)" -v foreign_ticket="$foreign" -f "$ROOT/test/torture/attack.sql" \
        -v ON_ERROR_STOP=0 >"$TORTURE/attack.out" 2>&1 || true
    count_claims <"$TORTURE/attack.out"
    check "attack: the other tenant's turn still settles" equals "$(end_turn "$foreign" 10)" 200
    attack_holds
    attack_locks
    attack_sweep
    sql -c "ALTER ROLE regress_app RESET tenancy.guard" >/dev/null
    check "attack: counters equal the ledger (I4)" counters_equal_ledger
    check "attack: charges and holds are within every limit (I1)" no_rows "SELECT * FROM torture.over_limit"
}

# Holds that are never meant to be used: the cap on turns at a time, and no effect on others.
attack_holds() {
    local admitted
    sql -c "SELECT tenancy.set_rate_limit('mallory', max_concurrent => 5)" >/dev/null
    admitted=$(as_app -c "SELECT count(*) FILTER (WHERE (r).status = 200) FROM (SELECT agent.begin_turn('$(token_of mallory)',
        '{\"model\": \"m\", \"max_tokens\": 1, \"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}') AS r FROM generate_series(1, 50)) b")
    check "attack: a flood of holds ends at the cap" equals "$admitted" 5
    check "attack: and leaves others alone" equals "$(victim_begins)" 200
}

# Locks that might keep another tenant from rebuilding its counters.
attack_locks() {
    open_session "BEGIN; SELECT agent.end_turn(repeat('0', 64) || '.victim', '{}'); SELECT agent.meter_turn(repeat('0', 64) || '.victim', 1);"
    check "attack: a made-up ticket locks no ledger" equals "$(ledger_locks)" 0
    close_session
    restart fast
    open_session "SELECT pg_advisory_lock(hashtextextended('victim', 0)), pg_advisory_lock((h >> 32)::int, (h << 32 >> 32)::int) FROM hashtextextended('victim', 0) h;"
    check "attack: advisory locks of users are not in the way of a rebuild" equals "$(victim_begins)" 200
    close_session
}

# Sweeping, and passing for a server, is not for the application; whoever may sweep cannot end what lives.
attack_sweep() {
    local live
    open_session "SELECT tenancy.instance_lock('alive');" regress_maintenance
    live=$(PGOPTIONS='-c tenancy.instance_id=alive' begin_turn victim)
    check "attack: turns of a live instance are not swept" \
        equals "$(sql -U regress_maintenance -c "SELECT agent.sweep_turns(1000)")" 0
    check "attack: nor can its lock be taken" equals "$(sql -U regress_maintenance -c "SELECT tenancy.instance_lock('alive')")" f
    check "attack: the application cannot end the session that holds it" refused_to_terminate
    close_session
    check "attack: once it is gone they are" equals "$(sql -U regress_maintenance -c "SELECT agent.sweep_turns(1000)")" 1
    check "attack: and can still be settled, late" equals "$(end_turn "${live#* }" 10)" 200
}
refused_to_terminate() {
    local output
    output=$(as_app -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'regress_maintenance'" 2>&1) && return 1
    grep -q 'must be a' <<<"$output"
}
