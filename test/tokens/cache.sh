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

# across STATEMENT TOKEN: what a session that has the verdict in its caches answers before and after the
# statement ran in another one, then what a third session answers, for which the proof is still shared.
across() {
    local ask="SELECT tenancy.set_tenant_from_jwt('$2');" statement
    statement=$(printf '%q' "$1")
    psql -qXAt -v VERBOSITY=terse <<END 2>&1 | sed 's/^ERROR:  //' | paste -sd '|'
$ask
\! psql -qXAt -c $statement >/dev/null
$ask
\connect
$ask
END
}

# The token of a subject and a jti, good for so many seconds.
token_of() {
    local now
    now=$(date +%s)
    "$ISSUER_TOOL" claims "$(printf '{"iss":"%s","aud":"agents","org_id":"acme","sub":"%s","jti":"%s","iat":%d,"exp":%d}' \
        "$ISSUER" "$1" "$2" "$now" $((now + $3)))"
}

changes_reach_caches() {
    local bob ends key
    bob=$(token_of bob bobs-token 600)
    key=$(sql -c "SELECT kid FROM tenancy.keys WHERE algorithm = 'ES256' AND state = 'active'")
    try "cache: a hit after the token's revocation elsewhere" says "acme|token rejected|token rejected" \
        across "SELECT tenancy.revoke_token('$ISSUER', 'bobs-token')" "$bob"
    try "cache: and after that was taken back" says "token rejected|acme|acme" \
        across "DELETE FROM tenancy.revoked_tokens" "$bob"
    try "cache: after the subject's revocation" says "acme|token rejected|token rejected" \
        across "SELECT tenancy.revoke_subject('$ISSUER', 'bob', now() + interval '1 minute')" "$bob"
    sql -c "SELECT tenancy.unrevoke_subject('$ISSUER', 'bob')" >/dev/null
    try "cache: after the tenant's suspension" says "acme|tenant is suspended|tenant is suspended" \
        across "SELECT tenancy.suspend_tenant('acme')" "$bob"
    sql -c "SELECT tenancy.resume_tenant('acme')" >/dev/null
    try "cache: after a rotation that withdraws the key" says "acme|token rejected|token rejected" \
        across "SELECT tenancy.load_jwks('$ISSUER', jsonb_build_object('keys', jsonb_build_array(k.public_jwk::jsonb || '{\"kid\": \"new\"}'))) FROM tenancy.signing_keys k WHERE k.kid = 'rsa'" "$bob"
    try "cache: after the key came back" says "token rejected|acme|acme" \
        across "SELECT tenancy.load_jwks('$ISSUER', '$("$ISSUER_TOOL" jwks)')" "$bob"
    try "cache: after another policy of the issuer" says "acme|token rejected|token rejected" \
        across "SELECT tenancy.add_issuer('$ISSUER', '{others}', 'org_id')" "$bob"
    sql -c "SELECT tenancy.add_issuer('$ISSUER', '{agents}', 'org_id', leeway_seconds => 0)" >/dev/null
    ends=$(token_of bob short 4)
    try "cache: after exp" says "acme|token rejected|token rejected" across "SELECT pg_sleep(4)" "$ends"
    try "cache: after the key's revocation" says "acme|token rejected|token rejected" \
        across "SELECT tenancy.revoke_key('$ISSUER', '$key')" "$bob"
    sql -c "DELETE FROM tenancy.signing_keys" -c "SELECT tenancy.add_issuer('$ISSUER', '{agents}', 'org_id')" \
        -c "SELECT count(*) FROM tenancy.load_jwks('$ISSUER', '$("$ISSUER_TOOL" jwks)')" >/dev/null
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
    changes_reach_caches
}
