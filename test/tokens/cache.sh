# shellcheck shell=bash
# The shared cache of proofs: bounded, right under load and change, empty after a crash.

TOKENS=120 # the cache holds eight, in one bucket: readers and writers meet all the time

# Table tokens(id, token, tenant): half of them each tenant's.
make_table() {
    local i tenant
    sql -c "CREATE TABLE tokens (id int, token text, tenant text)"
    for ((i = 1; i <= TOKENS; i++)); do
        tenant=$([[ $((i % 2)) == 0 ]] && echo acme || echo globex)
        printf '%s\t%s\t%s\n' "$i" "$("$ISSUER_TOOL" token "$tenant" "subject$i")" "$tenant"
    done | sql -c "COPY tokens FROM STDIN"
}

cached() { sql -c "SELECT $1 FROM tenancy.stat_token_cache"; }

# Eight sessions ask for tokens at random, each answer compared with the tenant of the token; meanwhile
# the issuer's policy changes all the time, so that no session's own cache is of much use. A proof of the
# wrong token, or half of one, is an error.
is_right_under_load() {
    cat >"$DIR/load.sql" <<END
\set id random(1, $TOKENS)
SELECT 1 / (tenancy.set_tenant_from_jwt(token) = tenant)::int FROM tokens WHERE id = :id;
END
    cat >"$DIR/change.sql" <<END
\set leeway random(30, 33)
SELECT tenancy.add_issuer('$ISSUER', '{agents}', 'org_id', leeway_seconds => :leeway);
\sleep 3 ms
END
    pgbench -n -c 8 -j 2 -T 6 -f "$DIR/load.sql" >"$DIR/pgbench" 2>&1 &
    local load=$!
    pgbench -n -c 1 -T 5 -f "$DIR/change.sql" >/dev/null 2>&1
    wait "$load" || { cat "$DIR/pgbench" && return 1; }
    grep -E 'number of transactions actually|failed' "$DIR/pgbench"
    grep -q 'number of failed transactions: 0' "$DIR/pgbench"
}

crash() {
    local pid
    pid=$(sql -c "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'")
    kill -9 "$pid"
    wait_until 30 says 1 sql -c "SELECT 1" # after the postmaster has noticed
    sleep 0.5
    wait_until 30 says 1 sql -c "SELECT 1"
}

cache_claims() {
    local token
    token=$("$ISSUER_TOOL" token acme alice)
    make_table
    try "cache: right under load, eviction and change" is_right_under_load
    try "cache: more tokens than it holds: some were dropped" says t cached "evictions > 0"
    try "cache: and others were shared" says t cached "shared_hits > 0"
    verdict "$token" >/dev/null
    crash >/dev/null 2>&1
    try "cache: after a crash the counters begin anew" says 0 cached verified
    try "cache: and the token is verified again" says acme verdict "$token"
    try "cache: by a full verification" says 1 cached verified
}
