# shellcheck shell=bash
# The suite on a streaming standby: what reads, while it is one; then it is promoted while clients of both tenants work,
# and the whole suite runs on it. Sourced by run.sh.

# shellcheck source=test/attack/standby.sh
source "$HERE/standby.sh"

# attack_promoted [whole]
attack_promoted() {
    WRITES=60 # at least, before the promotion and after it
    [[ -z ${1:-} ]] || WRITES=4000
    make_worlds
    admin -c "ALTER SYSTEM RESET max_prepared_transactions" # a fix of the doctor's, which would keep the standby from starting
    before_the_standby
    standby_start "$WORK"
    standby_claims
    promote_under_load
    become_the_standby
    admin -c "$PREPARES_NOT"
    promoted_claims
    restart_without_two_phase
    attack_world "${1:-}"
    summary promoted
}

# Everything from here on is about the promoted server.
become_the_standby() {
    export PGHOST=$STANDBY_SOCKET PGPORT=$STANDBY_PORT
    CLUSTER_LOG=$STANDBY/server.log
}

# The family of sabotage wants no place for prepared transactions, as docs/operations.md says.
restart_without_two_phase() {
    admin -c "ALTER SYSTEM SET max_prepared_transactions = 0"
    standby_ctl -m fast -l "$CLUSTER_LOG" restart
}

# client NAME TARGET: rounds of load.sql on one connection after the other until $WORK/over is there. TARGET is "any" for
# one that stays on the standby, and "read-write" for one that goes where writing is possible.
client() {
    {
        echo '\set VERBOSITY sqlstate'
        echo "PREPARE rows_of AS SELECT \$1, CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE 'primary' END, string_agg(DISTINCT tenant_id, ' ') FROM shop.accounts;"
        for _ in {1..50}; do cat "$HERE/load.sql"; done
    } >"$WORK/client.$1.sql"
    while [[ ! -e $WORK/over ]]; do
        PGTARGETSESSIONATTRS=$2 PGCONNECT_TIMEOUT=2 as_app -d attack_protected "${TOKENS[@]}" -F ' ' -f "$WORK/client.$1.sql" || sleep 0.1
    done >"$WORK/client.$1.out" 2>&1
}

# Sealed all the time, wherever writing is possible.
sealer() {
    while [[ ! -e $WORK/over ]]; do
        PGTARGETSESSIONATTRS=read-write PGCONNECT_TIMEOUT=2 admin -d attack_protected -c "SELECT count(*) FROM tenancy.seal_audit()" || true
        sleep 0.2
    done >"$WORK/sealer.out" 2>&1
}

promote_under_load() {
    local both=$CLUSTER_SOCKET,$STANDBY_SOCKET ports=$PGPORT,$STANDBY_PORT
    replayed "$PREPARES"
    on_standby client reader any &
    PGHOST=$both PGPORT=$ports client writer read-write &
    PGHOST=$both PGPORT=$ports client second read-write &
    PGHOST=$both PGPORT=$ports sealer &
    wait_until 60 written "$WRITES"
    WRITTEN_BEFORE=$(count_of 'wrote 201')
    as_server "$(pg_bin)/pg_ctl" -D "$CLUSTER_DATA" -m immediate -w stop >/dev/null
    standby_promote
    wait_until 60 written $((WRITTEN_BEFORE + WRITES)) || true
    wait_until 10 read_on primary || true
    touch "$WORK/over"
    wait
}
written() { (($(count_of 'wrote 201') >= $1)); }
read_on() { grep -q "acme $1 acme" "$WORK/client.reader.out" && grep -q "globex $1 globex" "$WORK/client.reader.out"; }

# What no client may see: an answer that is not its tenant's, or an error but those of a server that goes or is no primary,
# and 42501 for a statement without a tenant.
strange_answers() {
    sed -E 's/^psql:[^ ]*: //' "$@" |
        grep -vE '^(acme (standby|primary) acme|globex (standby|primary) globex|acme session own|globex session foreign|(acme|globex) wrote 201)$' |
        grep -vE '^(ERROR:  (25006|42501)|WARNING:  57P0[12]|no connection to the server|)$' |
        grep -vE '^(psql: |error: )*connection to server|^server closed the connection|^\s(This probably means the server|before or while processing|Is the server running)' |
        sort | uniq -c | head -n 10
}
answers_are_their_own() {
    echo "acme primary acme globex" >"$WORK/strange"
    gives "$(strange_answers "$WORK/strange" | xargs)" "1 acme primary acme globex" # such a line would be seen
    gives "$(strange_answers "$WORK"/client.*.out)" ""
}
count_of() { cat "$WORK"/client.*.out 2>/dev/null | grep -cE "$1" || true; }
nobody_reads() {
    gives "$(count_of '^nobody')" 0
    (($(count_of 'ERROR:  42501') > 20 && $(count_of 'ERROR:  42501') <= $(count_of 'acme session own')))
}

promoted_claims() {
    try "promoted under load: no client got another's answer, or a strange error" answers_are_their_own
    try "promoted under load: nobody without a token read anything" nobody_reads
    try "promoted under load: $WRITTEN_BEFORE writes before, as many after" written $((WRITTEN_BEFORE + WRITES))
    try "promoted under load: $(count_of 'acme standby') reads of each tenant on the standby, and on the same connections after its promotion" read_on_both
    prepared_claims
    STAGE="promoted: " carried_claims
}
read_on_both() { read_on standby && read_on primary; }
