# shellcheck shell=bash
# What the scenarios share: counting, tenants, and the checks after each of them. Source it inside
# with-cluster.sh; TORTURE is a directory for logs.

PASSED=0
FAILED=0

sql() { psql -qXAt -v ON_ERROR_STOP=1 "$@"; }
as_app() { psql -qXAt -v ON_ERROR_STOP=1 -U regress_app "$@"; }

# check CLAIM COMMAND...: the claim holds when the command succeeds; its output is shown when it does not.
check() {
    local claim=$1 output
    shift
    if output=$("$@" 2>&1); then
        PASSED=$((PASSED + 1))
        echo "ok - $claim"
    else
        FAILED=$((FAILED + 1))
        echo "not ok - $claim"
        [[ -z $output ]] || head -n 10 <<<"$output" | sed 's/^/#   /'
    fi
}

equals() { [[ $1 == "$2" ]] || { echo "got $1, wanted $2" && return 1; }; }
between() { (($1 >= $2 && $1 <= $3)) || { echo "got $1, wanted $2 to $3" && return 1; }; }

# no_rows QUERY: succeeds when the query gives none, else shows them.
no_rows() {
    local rows
    rows=$(sql -F ' | ' -c "$1") || return 1
    [[ -z $rows ]] || { echo "$rows" && return 1; }
}

# The load client, built anew when its source is.
build_client() {
    local flags here=$ROOT/test/torture
    CLIENT=$ROOT/build/torture/client
    [[ ! -x $CLIENT || -n $(find "$here" -name '*.[ch]pp' -newer "$CLIENT") ]] || return 0
    mkdir -p "${CLIENT%/*}"
    read -ra flags < <(pkg-config --cflags --libs libpq)
    g++ -std=c++20 -O1 -Wall -Wextra -Wshadow -Wconversion -Werror -o "$CLIENT" \
        "$here/client.cpp" "$here/session.cpp" "${flags[@]/#-I/-isystem}" -pthread
}

# An extension with one issuer, the application role, and a model: 100 output tokens, the most a turn
# of the client can use, cost 100,000,000 picodollars (0.0001 USD); input is free.
make_database() {
    export TENANCY_TEST_KEYS=$TORTURE/keys
    sql -v jwks="$("$ROOT/test/tools/issuer.sh" jwks)" -f "$ROOT/test/torture/checks.sql" >/dev/null
}

# tenant NAME [SUBJECT]: registers a brand-new tenant; its token is in $TORTURE/token.NAME.
tenant() {
    "$ROOT/test/tools/issuer.sh" token "$1" "${2:-someone}" 7200 >"$TORTURE/token.$1"
    echo >>"$TORTURE/token.$1"
    sql -c "SELECT tenancy.add_tenant('$1', 'https://dev.issuer.example', '$1')" >/dev/null
}
token_of() { cat "$TORTURE/token.$1"; }

# budget TENANT WINDOW TURNS [SCOPE]: money for exactly so many turns that use all they may.
budget() {
    sql -c "SELECT tenancy.set_budget('$1', '$2', $3 * 0.0001, scope => '${4:-tenant}')" >/dev/null
}

# observe TENANT WINDOW TURNS [SCOPE]: alerts from so many turns on; nothing is refused.
observe() {
    sql -c "SELECT tenancy.set_budget('$1', '$2', $3 * 0.0001, scope => '${4:-tenant}', mode => 'observe')" >/dev/null
}

# load NAME CLIENTS SECONDS KINDS SESSIONS TENANT...: runs the client; its log is $TORTURE/NAME.log.
load() {
    local name=$1 clients=$2 seconds=$3 kinds=$4 sessions=$5
    shift 5
    (for who in "$@"; do token_of "$who"; done) |
        "$CLIENT" load "$clients" "$seconds" "$TORTURE/$name.log" "$kinds" "$sessions" >"$TORTURE/$name.counts"
}

# begin_turn TENANT [BODY]: as the application, in a transaction of its own; prints "STATUS TICKET".
begin_turn() {
    as_app -F ' ' -c "SELECT r.status, coalesce(r.body ->> 'ticket', r.body #>> '{error,code}') FROM agent.begin_turn('$(token_of "$1")',
        '{\"model\": \"m\", \"max_tokens\": 100, \"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}' || '${2:-{\}}'::jsonb) r"
}
end_turn() {
    as_app -c "SELECT r.status FROM agent.end_turn('$1', '{\"status\": \"ok\", \"model\": \"m\",
        \"message\": {\"role\": \"assistant\", \"content\": \"y\"}, \"usage\": {\"prompt_tokens\": 5, \"completion_tokens\": ${2:-100}}}') r"
}

no_lost_charge() {
    grep '^charge ' "$TORTURE/$1.log" | cut -d' ' -f2,3 | sort -u >"$TORTURE/$1.acknowledged" || true
    sql -c "TRUNCATE torture.acknowledged" \
        -c "\\copy torture.acknowledged FROM '$TORTURE/$1.acknowledged' DELIMITER ' '" || return 1
    no_rows "SELECT * FROM torture.lost"
}

# Errors that no client may see: anything but interruptions, and a counter that must be rebuilt.
nothing_wrong() {
    local lines
    lines=$(grep -E '^(wrong|error|doubt) ' "$TORTURE/$1.log" | sed 's/^doubt .*/doubt/' | sort | uniq -c) || return 0
    echo "$lines"
    return 1
}

# Turns that the shell began have no instance that could be gone; their deadline is brought forward.
sweep_all() {
    sql -c "UPDATE agent.turns SET deadline = now() WHERE status = 'open' AND instance_id IS NULL"
    while [[ $(sql -c "SELECT agent.sweep_turns(1000)") != 0 ]]; do :; done
    equals "$(sql -c "SELECT count(*) FROM agent.turns WHERE status = 'open'")" 0
}

alerts() { sql -c "SELECT count(*) FROM tenancy.alerts"; }

counters_equal_ledger() { no_rows "SELECT * FROM tenancy.verify_counters() WHERE NOT ok"; }

# can_spend_the_rest TENANT: with five and a half holds left, exactly five turns are admitted (I8).
can_spend_the_rest() {
    local left
    sql -c "SELECT torture.leave('$1', 5.5)" >/dev/null
    left=$(as_app -c "CALL torture.drain('$(token_of "$1")', 0)") || return 1
    equals "$left" 5
}

# settled NAME TENANT...: what must hold after any load. The client is gone, so its turns are orphans.
settled() {
    local name=$1 who
    shift
    check "$name: no acknowledged charge is lost ($(grep -c '^charge ' "$TORTURE/$name.log" || true) acknowledged) (I2, I3)" \
        no_lost_charge "$name"
    check "$name: nothing happened that must not ($(cat "$TORTURE/$name.counts"))" nothing_wrong "$name"
    check "$name: charges and holds are within every limit (I1)" no_rows "SELECT * FROM torture.over_limit"
    check "$name: counters equal the ledger (I4)" counters_equal_ledger
    check "$name: no hold is left after sweeping" sweep_all
    check "$name: a turn has its charge, trace and audit row together, once (I3, I5)" \
        no_rows "SELECT * FROM torture.torn"
    check "$name: every crossing of a threshold has its alert, and no other ($(alerts) raised)" \
        no_rows "SELECT * FROM torture.wrong_alerts"
    for who in "$@"; do
        check "$name: idle tenant $who can spend all but less than one hold (I8)" can_spend_the_rest "$who"
    done
    check "$name: counters equal the ledger when idle (I4)" counters_equal_ledger
}
