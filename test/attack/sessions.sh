# shellcheck shell=bash
# Attacks that take two sessions: what one tenant's open transaction does to another. Each of the first group is
# run in the textbook world, too, where it must do harm. Sourced by run.sh.

PROMPTLY="SET lock_timeout = '1s';" # as good as for ever

# as_tenant WORLD TOKEN SQL [BEGIN]: in one transaction; prints the rows, or the SQLSTATE of the first error.
as_tenant() {
    { as_app -d "attack_$1" -v token="$2" -v VERBOSITY=sqlstate -v ON_ERROR_STOP=1 -f - 2>&1 || true; } <<END | sed '/ERROR/s/.*ERROR:  //' | xargs
$PROMPTLY
${4:-BEGIN};
SELECT tenancy.set_tenant_from_jwt(:'token') \\g /dev/null
$3
COMMIT;
END
}

# open_session WORLD TOKEN SQL [BEGIN]: a transaction of a tenant that stays open until close_session.
open_session() {
    rm -f "$WORK/session" && mkfifo "$WORK/session"
    as_app -d "attack_$1" -v token="$2" <"$WORK/session" >"$WORK/session.out" 2>&1 &
    SESSION=$!
    exec 7<>"$WORK/session" # also read, so that a session that ended early is no SIGPIPE
    cat >&7 <<END
${4:-BEGIN};
SELECT tenancy.set_tenant_from_jwt(:'token') \\g /dev/null
$3
\\echo ready
END
    wait_until 10 grep -q ready "$WORK/session.out"
}
# close_session [SQL]: ends it with SQL, or ROLLBACK.
close_session() {
    echo "${1:-ROLLBACK;}" >&7
    exec 7>&-
    wait "$SESSION" || true
}

gives() { [[ $1 == "$2" ]] || { echo "got \"$1\", wanted \"$2\"" && return 1; }; }

# disturbs WORLD HOLDER'S-SQL VICTIM'S-SQL WANTED: what the victim gets while the attacker's transaction is open.
disturbs() {
    local got
    open_session "$1" "$TOKEN_ACME" "$2"
    got=$(as_tenant "$1" "$TOKEN_GLOBEX" "$3")
    close_session
    gives "$got" "$4"
}

# both CLAIM ATTACKER'S-SQL VICTIM'S-SQL RESULT HARM: RESULT in the protected world, HARM in the other.
both() {
    try "$1" disturbs protected "$2" "$3" "$4"
    try "$1: without the protection the test sees the harm" disturbs textbook "$2" "$3" "$5"
}

attack_sessions() {
    # An uncommitted row with a value that the other tenant wants. Stopped: its key is another.
    both "L4 L5 an open INSERT keeps nobody waiting" \
        "INSERT INTO shop.accounts (id) VALUES (90001);" \
        "INSERT INTO shop.accounts (id, note) VALUES (90001, 'CANARY') RETURNING id;" "90001" "55P03"
    # A reference to the victim's row would lock it. Stopped: there is no such row for the attacker.
    both "L6 U7 a reference keeps nobody from deleting" \
        "SAVEPOINT s; INSERT INTO shop.entries (id, account_id) VALUES (90002, 10001);" \
        "DELETE FROM shop.accounts WHERE id = 10001 RETURNING id;" "10001" "55P03"
    # Row locks on what the attacker does not see.
    try "L8 SKIP LOCKED and NOWAIT see no foreign lock" foreign_locks_unseen
    try "L7 serializable transactions of two tenants do not fail each other" serializable_apart
    try "A20 S5 the token in a statement is not in pg_stat_activity" no_token_in_activity
    try "A20 S5 nor may the application look" \
        gives "$(as_tenant protected "$TOKEN_ACME" "SELECT query FROM pg_stat_activity;")" 42501
    try "X14 REVOKE from itself takes nothing" revoke_takes_nothing
    try "B1 pg_dump as the application's role is refused" no_dump
    try "B7 the revokes of the protected world are in its dump" revokes_are_dumped
}

foreign_locks_unseen() {
    local got
    open_session protected "$TOKEN_GLOBEX" "SELECT 1 FROM shop.accounts WHERE id = 777 FOR UPDATE;"
    got=$(as_tenant protected "$TOKEN_ACME" "SELECT count(*) FROM (SELECT FROM shop.accounts WHERE id = 777 FOR UPDATE SKIP LOCKED) a;
        SELECT count(*) FROM (SELECT FROM shop.accounts WHERE id = 777 FOR UPDATE NOWAIT) a;")
    close_session
    gives "$got" "0 0"
}

# Both read what they have and write: with relation-wide predicate locks one of them would fail with 40001.
serializable_apart() {
    local serializable='BEGIN ISOLATION LEVEL SERIALIZABLE' got
    open_session protected "$TOKEN_GLOBEX" "SELECT count(*) FROM shop.accounts WHERE balance < 11000;" "$serializable"
    got=$(as_tenant protected "$TOKEN_ACME" "SELECT sum(balance) FROM shop.accounts WHERE balance < 50;
        UPDATE shop.accounts SET note = 'serial' WHERE id = 7 RETURNING id;" "$serializable")
    close_session "UPDATE shop.accounts SET note = 'CANARY' WHERE id = 777;
COMMIT;
\\echo committed :SQLSTATE"
    gives "$got" "1225 7"
    grep -q 'committed 00000' "$WORK/session.out" || { cat "$WORK/session.out" && return 1; }
}

revoke_takes_nothing() {
    as_app -d attack_protected -c "REVOKE ALL ON shop.accounts FROM attack_app" >/dev/null 2>&1 || true
    gives "$(as_tenant protected "$TOKEN_ACME" "SELECT count(*) FROM shop.accounts WHERE id <= 100;")" 100
}

no_token_in_activity() {
    local seen
    open_session protected "$TOKEN_GLOBEX" "SELECT tenancy.set_tenant_from_jwt('$TOKEN_GLOBEX') \\g /dev/null"
    seen=$(admin -d attack_protected -c "SELECT count(*) FROM pg_stat_activity WHERE usename = 'attack_app' AND query LIKE '%' || left('$TOKEN_GLOBEX', 40) || '%'")
    close_session
    gives "$seen" 0
}

no_dump() {
    local output
    output=$(pg_dump -U attack_app -d attack_protected -n shop 2>&1 >/dev/null) && return 1
    grep -q 'row-level security\|permission denied' <<<"$output" || { echo "$output" && return 1; }
}

revokes_are_dumped() {
    pg_dump -U postgres -d attack_protected --schema-only >"$WORK/dump.sql"
    local name
    for name in pg_stat_get_activity pg_advisory_lock pg_terminate_backend lo_get; do
        grep -q "REVOKE ALL ON FUNCTION pg_catalog.$name(" "$WORK/dump.sql" || { echo "no revoke of $name" && return 1; }
    done
}
