# shellcheck shell=bash
# The two-world test: every query of tenant acme gives the same rows, errors and notices, byte for byte, whether
# tenant globex exists or not. In the textbook world the same queries must tell the difference. Sourced by run.sh.

LEAST_QUERIES=10000
LEAST_WITH_ROWS=3000

# make_alone WORLD: the same database in which globex never was.
make_alone() {
    admin -d postgres -c "CREATE DATABASE attack_alone_$1 TEMPLATE attack_$1"
    admin -d "attack_alone_$1" >/dev/null 2>&1 <<'END'
DELETE FROM shop.entries WHERE tenant_id = 'globex';
DELETE FROM shop.accounts WHERE tenant_id = 'globex';
DELETE FROM shop.bookings WHERE tenant_id = 'globex';
DELETE FROM agent.sessions WHERE tenant_id = 'globex';
DELETE FROM agent.feedback WHERE tenant_id = 'globex';
DELETE FROM agent.audit_log WHERE tenant_id = 'globex';
DELETE FROM tenancy.tenant_claims WHERE tenant_id = 'globex';
DELETE FROM tenancy.tenants WHERE tenant_id = 'globex';
VACUUM (FULL, ANALYZE);
-- A copy has its own privileges on the database, and PUBLIC's are back.
SELECT fix FROM tenancy.check_isolation() WHERE rule = 'database_temporary' \gexec
END
}

# answers DATABASE FILE: what acme gets for the queries of FILE, numbered. A token of the session, which the role may
# have in this test only, spares a transaction around each.
answers() {
    as_app -d "$1" -v token="$TOKEN_ACME" -v VERBOSITY=verbose 2>&1 < <(
        echo "SET tenancy.token = :'token';"
        awk '{ print "\\echo query " NR; print $0 ";"; if (/ROLLBACK$/) print "ROLLBACK;" }' "$2"
    ) | sed -E 's/^psql:[^ ]*: //; /^LOCATION: /d; /WARNING:  (25P01|00000)?.*no transaction in progress/d'
}

# compare WORLD QUERIES: the differing answers, at most a few.
compare() {
    answers "attack_$1" "$2" >"$WORK/with"
    answers "attack_alone_$1" "$2" >"$WORK/without"
    diff "$WORK/with" "$WORK/without" | grep '^[<>]' | head -n 12
}

worlds_alike() {
    local found
    found=$(compare protected "$WORK/queries") || true
    [[ -z $found ]] || { echo "$found" && return 1; }
    # An answer with rows: a line that follows its number and is no error.
    awk '/^query [0-9]+$/ { fresh = 1; next } fresh && !/ERROR|^$|^(INSERT|UPDATE|DELETE|MERGE) / { n++ } { fresh = 0 } END { print n }' "$WORK/with" >"$WORK/with_rows"
    (($(cat "$WORK/with_rows") >= LEAST_WITH_ROWS)) || { echo "only $(cat "$WORK/with_rows") queries gave rows" && return 1; }
}
textbook_worlds_differ() {
    awk 'NR % 7 == 0 || /RETURNING|EXPLAIN/' "$WORK/queries" >"$WORK/some_queries"
    [[ -n $(compare textbook "$WORK/some_queries") ]]
}
enough_queries() { (($(wc -l <"$WORK/queries") >= LEAST_QUERIES)); }

attack_two_worlds() {
    make_alone protected
    make_alone textbook
    admin -d postgres -c "ALTER ROLE attack_app SET tenancy.context_scope = 'session'"
    admin -d attack_protected -f "$HERE/two_worlds.sql" >"$WORK/queries"
    try "two worlds: at least $LEAST_QUERIES queries" enough_queries
    try "two worlds: no query of acme tells whether globex exists" worlds_alike
    echo "        $(wc -l <"$WORK/queries") queries, $(cat "$WORK/with_rows" 2>/dev/null || true) of them with rows"
    try "two worlds: without the protection the difference is seen" textbook_worlds_differ
    admin -d postgres -c "ALTER ROLE attack_app RESET tenancy.context_scope"
}
