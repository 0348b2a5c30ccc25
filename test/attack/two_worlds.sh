# shellcheck shell=bash
# The two-world test: every query of tenant acme gives the same rows, errors and notices, byte for byte, whether
# tenant globex exists or not. In the textbook world the same queries must tell the difference. Sourced by run.sh.
#
# There are two ways of not having globex. "alone" never had it: its tables are small. "sized" has lost its rows and
# statistics but kept the sizes of its tables: plans and costs depend on them, a stated residual, and here all else
# that a plan may tell is compared, and what has no order of its own.

LEAST_QUERIES=10000
LEAST_WITH_ROWS=3000
LEAST_PLANS=1000
LEAST_SMITH=500

# copy_world FROM TO: a copy has its own privileges on the database, and PUBLIC's are back; settings do not come along.
copy_world() {
    admin -d postgres -c "CREATE DATABASE attack_$2 TEMPLATE attack_$1"
    admin -d "attack_$2" -c "REVOKE TEMPORARY ON DATABASE attack_$2 FROM PUBLIC"
}

# make_alone WORLD: the same database in which globex never was.
make_alone() {
    copy_world "$1" "alone_$1"
    admin -d "attack_alone_$1" -f "$HERE/alone.sql" -c "VACUUM (FULL, ANALYZE)"
}

# The worlds "sized" and "alone_sized". The cluster runs without autovacuum, or pages would be given back.
make_sized() {
    copy_world protected sized
    copy_world protected alone_sized
    admin -d attack_sized -c ANALYZE
    admin -d attack_alone_sized -f "$HERE/alone.sql" -c ANALYZE
    admin -d attack_sized -c "SELECT format('UPDATE pg_class SET reltuples = %s, relpages = %s, relallvisible = %s WHERE oid = %s;', reltuples, relpages, relallvisible, oid)
        FROM pg_class WHERE relpages > 0" | admin -d attack_alone_sized
}

# answers DATABASE FILE: what acme gets for the queries of FILE, numbered. A token of the session, which the role may
# have in this test only, spares a transaction around each; it is set again after what may have spoiled it, a route with
# a bad token for one. No path of psql, place in our source or word that no
# transaction was open; and a query that took too long is so in one world as in the other: busy machines.
answers() {
    as_app -d "$1" -v token="$TOKEN_ACME" -v VERBOSITY=verbose 2>&1 < <(
        echo "SET tenancy.token = :'token'; SET statement_timeout = '${LONGEST_QUERY:-30s}';"
        awk '{ print "\\echo query " NR; print $0 ";"; if (/ROLLBACK$/) print "ROLLBACK;"
            if (/agent\.[a-z_]+ *\(|_tenant/) print "SET tenancy.token = :\047token\047;" }' "$2"
    ) | sed -E 's/^psql:[^ ]*: //; /^LOCATION: /d; /WARNING:  (25P01|00000)?.*no transaction in progress/d'
}

# compare WORLD QUERIES: the differing answers, at most a few.
compare() {
    answers "attack_alone_$1" "$2" >"$WORK/without" &
    answers "attack_$1" "$2" >"$WORK/with"
    wait "$!"
    diff "$WORK/with" "$WORK/without" | grep '^[<>]' | head -n 12
}

# with_rows: how many of the last answers have rows: a line that follows the number and is no error.
with_rows() {
    awk '/^query [0-9]+$/ { fresh = 1; next } fresh && !/ERROR|^$|^(INSERT|UPDATE|DELETE|MERGE) / { n++ } { fresh = 0 } END { print n + 0 }' "$WORK/with"
}

# alike WORLD QUERIES ROWS: no difference, and at least so many answers with rows. $WORK/figures has the figures.
alike() {
    local found
    found=$(compare "$1" "$2") || true
    [[ -z $found ]] || { echo "$found" && return 1; }
    echo "$(wc -l <"$2") queries, $(with_rows) of them with rows" >"$WORK/figures"
    (($(with_rows) >= $3)) || { cat "$WORK/figures" && return 1; }
}
differ() { [[ -n $(compare "$1" "$2") ]]; }
enough() { (($(wc -l <"$1") >= $2)); }
figures() { sed 's/^/        /' "$WORK/figures" 2>/dev/null || true; }

# The same in the worlds of one size, with EXPLAIN allowed: no plan, cost or estimate tells.
make_plan_queries() { awk '/^SELECT|^WITH/ && !/\(:|pg_/ && NR % 11 == 0 { print "EXPLAIN " $0 }' "$WORK/queries" >"$WORK/plan_queries"; }

# sqlsmith's statements, one a line, without what gives something else each time, and without the slow ones.
make_smith_worlds() {
    sqlsmith --dry-run --seed=4 --exclude-catalog --max-queries=$((2500 * TIMES)) --target="host=$PGHOST port=$PGPORT dbname=attack_sized user=attack_app" 2>"$WORK/smith.err" |
        tr '\n' ' ' | sed 's/; */\n/g' | sed -E 's/tablesample (system|bernoulli) *\([0-9.]+\)//Ig' |
        grep -viE '(random|now|timeofday|uuid|timestamp|version|age|new_id) *\(|current_(database|catalog|time|date|setting|xact|wal|snapshot|query)|localtime|txid|pg_[a-z_]*(size|stat|file|ls_|read|current|backend|postmaster|conf_load|wal|lsn|control|snapshot|last_)' |
        sed -E '/^ *(insert|update|delete|merge)/I { s/^/BEGIN\\; /; s/$/\\; ROLLBACK/ }' >"$WORK/smith_all"
    LONGEST_QUERY=200ms answers attack_protected "$WORK/smith_all" | awk '/^query / { n = $2 } /57014/ { print n }' >"$WORK/smith_slow"
    awk 'FILENAME == ARGV[1] { slow[$1]; next } !(FNR in slow)' "$WORK/smith_slow" "$WORK/smith_all" >"$WORK/smith_queries"
}

textbook_worlds_differ() {
    awk 'NR % 7 == 0 || /RETURNING|EXPLAIN/' "$WORK/queries" >"$WORK/some_queries"
    differ textbook "$WORK/some_queries"
}

# attack_two_worlds TIMES: with so many times the values and the floors.
attack_two_worlds() {
    TIMES=$1
    make_alone protected
    make_alone textbook
    make_sized
    admin -d postgres -c "ALTER ROLE attack_app SET tenancy.context_scope = 'session'"
    attack_layers
    admin -d attack_protected -v times="$TIMES" -f "$HERE/two_worlds.sql" >"$WORK/queries"
    try "two worlds: at least $((LEAST_QUERIES * TIMES)) queries" enough "$WORK/queries" $((LEAST_QUERIES * TIMES))
    try "two worlds: no query of acme tells whether globex exists" alike protected "$WORK/queries" $((LEAST_WITH_ROWS * TIMES))
    figures
    try "two worlds: without the protection the difference is seen" textbook_worlds_differ
    attack_plans
    attack_statements
    admin -d postgres -c "ALTER ROLE attack_app RESET tenancy.context_scope"
}

attack_plans() {
    admin -d postgres -c "ALTER ROLE attack_app IN DATABASE attack_sized SET tenancy.guard = 'explain'" \
        -c "ALTER ROLE attack_app IN DATABASE attack_alone_sized SET tenancy.guard = 'explain'"
    make_plan_queries
    try "two worlds of one size: at least $((LEAST_PLANS * TIMES)) plans" enough "$WORK/plan_queries" $((LEAST_PLANS * TIMES))
    try "two worlds of one size: no plan tells" alike sized "$WORK/plan_queries" $((LEAST_PLANS * TIMES))
    figures
}

# After all else: what writes, and is undone, leaves its pages behind.
attack_statements() {
    try "two worlds of one size: sqlsmith makes queries" make_smith_worlds
    try "two worlds of one size: at least $((LEAST_SMITH * TIMES)) of sqlsmith" enough "$WORK/smith_queries" $((LEAST_SMITH * TIMES))
    try "two worlds of one size: no query of sqlsmith tells" alike sized "$WORK/smith_queries" 10
    figures
}
