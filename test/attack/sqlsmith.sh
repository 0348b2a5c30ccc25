# shellcheck shell=bash
# sqlsmith (Debian package sqlsmith) as the application's role with a tenant of the session: random queries over
# everything that the role can name. The server must not crash, the other tenant's canary must not appear, and its
# rows must stay as they were. Sourced by run.sh.

SMITH_QUERIES=1200 # for each of the two runs
SMITH_SECONDS=20

smith_target() { echo "host=$PGHOST port=$PGPORT dbname=attack_protected user=attack_app"; }

# make_smith_queries SEED [OPTION]: the same ones for the same seed, catalog and version of sqlsmith.
make_smith_queries() {
    sqlsmith --dry-run --seed="$1" --max-queries="$SMITH_QUERIES" --target="$(smith_target)" ${2:+"$2"} >"$WORK/smith.sql" 2>"$WORK/smith.err" ||
        { tail -n 5 "$WORK/smith.err" && return 1; }
    (($(grep -c ';$' "$WORK/smith.sql") > SMITH_QUERIES / 2))
}

# run_smith ROLE: its answers; a query that takes long is left.
run_smith() {
    { timeout "$SMITH_SECONDS" psql -qXAt -U "$1" -d attack_protected -v token="$TOKEN_ACME" -f - 2>&1 || true; } < <(
        echo "SET statement_timeout = '300ms'; SET tenancy.token = :'token';"
        # Again after a query that calls a route: with a bad token it ends the session's.
        awk '{ print } /agent\.[a-z_]+ *\(|_tenant/ { spoiled = 1 }
            /;$/ { if (spoiled) print "SET tenancy.token = :\047token\047;"; spoiled = 0 }' "$WORK/smith.sql"
        printf '%s\n' '\echo the end'
    )
}

theirs() {
    admin -d attack_protected -c "SELECT md5(string_agg(a::text, '' ORDER BY id)) FROM shop.accounts a WHERE tenant_id = 'globex'" \
        -c "SELECT md5(string_agg(f::text, '' ORDER BY feedback_id)) FROM agent.feedback f WHERE tenant_id = 'globex'" \
        -c "SELECT count(*) FROM agent.sessions WHERE tenant_id = 'globex'"
}

no_crash() {
    ! tail -c "+$((LOG_START + 1))" "$CLUSTER_LOG" | grep -aE 'terminated by signal|PANIC|TRAP:|crash'
}
no_canary() {
    ! grep -a CANARY "$WORK/smith.out" && ! tail -c "+$((LOG_START + 1))" "$CLUSTER_LOG" | grep -a CANARY
}

# Queries that prove something: some of them would show the canary, were there no wall. Whether a seed's do depends on
# all that is in the catalog, so several are tried; without the catalog's own relations about every third does.
make_telling_queries() {
    local seed
    for seed in {1..16}; do
        make_smith_queries "$seed" --exclude-catalog || return 1
        PGOPTIONS='-c default_transaction_read_only=on' run_smith attack_bypass >"$WORK/smith.bypass"
        ! grep -qa CANARY "$WORK/smith.bypass" || return 0
    done
    return 1
}
rows_came() { (($(grep -acvE 'ERROR|LINE|\^|HINT|DETAIL|CONTEXT|QUERY|^$' "$WORK/smith.out") > 50)); }

attack_sqlsmith() {
    local before
    admin -d postgres -c "ALTER ROLE attack_app SET tenancy.context_scope = 'session'" \
        -c "CREATE ROLE attack_bypass LOGIN BYPASSRLS IN ROLE attack_app" -c "ALTER ROLE attack_bypass SET tenancy.context_scope = 'session'"
    try "sqlsmith makes queries that show the other tenant's canary to a role that bypasses row security" make_telling_queries
    before=$(theirs)
    LOG_START=$(stat -c %s "$CLUSTER_LOG")
    run_smith attack_app >"$WORK/smith.out"
    try "sqlsmith makes queries over the catalog, too" make_smith_queries 1
    run_smith attack_app >>"$WORK/smith.out"
    try "sqlsmith: the server does not crash" no_crash
    try "sqlsmith: rows came back" rows_came
    try "sqlsmith: no canary of the other tenant in answers or log" no_canary
    try "sqlsmith: the other tenant's rows are what they were" equals_before "$before"
}
equals_before() { [[ $(theirs) == "$1" ]]; }
