# shellcheck shell=bash
# No byte of a token or a key in the server's log, statistics or errors; and a log that no flood can fill.

KINDS=(expired none hs256 tampered other-key audience issuer unregistered no-tenant)

# The parts of all tokens that are nobody's business, one a line: payloads and signatures, 40 characters.
secrets() { tr '.' '\n' <"$DIR/tokens" | awk 'NR % 3 != 1 && NF { print substr($0, 1, 40) }' | sort -u; }

make_silent_tokens() {
    local kind
    {
        for kind in "${KINDS[@]}"; do "$ISSUER_TOOL" forged "$kind" && echo; done
        "$ISSUER_TOOL" token acme alice && echo
        "$ISSUER_TOOL" rs256 globex carol && echo
    } | grep . >"$DIR/tokens"
}

# Sends every token as a bind parameter, through each function that takes one.
send_bound() {
    local token
    echo "SELECT tenancy.set_tenant_from_jwt(:token);" >"$DIR/set.sql"
    # shellcheck disable=SC2016
    echo "SELECT * FROM agent.list_traces(:token, '{}'::jsonb);" >"$DIR/route.sql"
    while read -r token; do
        PGDATABASE=postgres pgbench -n -M prepared -t 2 -D token="$token" -f "$DIR/set.sql" -f "$DIR/route.sql" >"$DIR/pgbench" 2>&1 || true
        cat "$DIR/pgbench" >>"$DIR/client"
    done <"$DIR/tokens"
}

# Sends every token as a literal, in every way a token can be set. An error inside DO quotes the block's
# own statement to the client that sent it, as PostgreSQL does for every error: that client is not read.
send_literal() {
    local token
    while read -r token; do
        psql -qXAt -c "SELECT tenancy.set_tenant_from_jwt('$token')" 2>&1 || true
        psql -qXAt -c "BEGIN; SET LOCAL tenancy.token = '$token'; SELECT tenancy.current_tenant(); ROLLBACK" 2>&1 || true
        psql -qXAt -c "DO \$\$ BEGIN PERFORM tenancy.set_tenant_from_jwt('$token'); END \$\$" >/dev/null 2>&1 || true
    done <"$DIR/tokens" >>"$DIR/client"
}

finds_none() { ! grep -aoFf <(secrets) "$1"; }
statistics() { sql -c "SELECT query FROM pg_stat_statements" -c "SELECT query FROM pg_stat_activity" >"$DIR/statistics"; }

# with_settings LINES: appended to the configuration, reloaded; what is logged from here on is in LOG.
with_settings() {
    printf '%s\n' "$1" | as_server tee -a "$CLUSTER_DATA/pg_tenancy.conf" >/dev/null
    sql -c "SELECT pg_reload_conf()" -c "SELECT pg_sleep(0.5)" >/dev/null
    LOG_FROM=$(wc -l <"$CLUSTER_LOG")
}
logged() { tail -n +"$((LOG_FROM + 1))" "$CLUSTER_LOG" >"$DIR/log"; }

silence_claims() {
    make_silent_tokens
    sql -c "CREATE EXTENSION pg_stat_statements" >/dev/null
    : >"$DIR/client"
    with_settings ""
    send_literal
    logged
    try "silence: tokens as literals, default logging: none in the log" finds_none "$DIR/log"
    try "silence: the log does say why" grep -q 'reason: signature_invalid' "$DIR/log"
    with_settings "log_min_messages = debug5
log_statement = all
log_min_duration_statement = 0
log_parameter_max_length = 0
auto_explain.log_min_duration = 0
auto_explain.log_analyze = on
auto_explain.log_nested_statements = on"
    send_bound
    statistics
    logged
    try "silence: bind parameters, debug5, all statements, auto_explain: none in the log" finds_none "$DIR/log"
    # shellcheck disable=SC2016
    try "silence: although it shows the statements" grep -q 'set_tenant_from_jwt(\$1)' "$DIR/log"
    try "silence: and took the two good ones of the tokens" equals "$(grep -c 'actually processed: 2/2' "$DIR/client")" 2
    try "silence: none in pg_stat_statements and pg_stat_activity" finds_none "$DIR/statistics"
    try "silence: none in what clients are told" finds_none "$DIR/client"
    try "silence: no key of a set in the log" key_set_is_silent
    with_settings "log_min_messages = warning
log_statement = none
log_min_duration_statement = -1
auto_explain.log_min_duration = -1
tenancy.refusal_log_rate = 5"
    try "a flood of refusals: few lines, the next says how many are missing, the counter has all" flood_is_short
    with_settings "tenancy.refusal_log_rate = 0"
    try "a refusal that is caught keeps no other error out of the log, and is kept out when it is raised again" caught_mutes_itself
}

caught_mutes_itself() {
    local refused="PERFORM tenancy.set_tenant_from_jwt('x.y'); EXCEPTION WHEN OTHERS THEN"
    psql -qXAt -c "DO \$\$ BEGIN BEGIN $refused NULL; END; RAISE EXCEPTION 'an error of another' USING ERRCODE = 'PT401'; END \$\$" >/dev/null 2>&1 || true
    psql -qXAt -c "DO \$\$ BEGIN $refused RAISE; END \$\$" >/dev/null 2>&1 || true
    logged
    grep -q 'an error of another' "$DIR/log" && ! grep 'token rejected' "$DIR/log"
}

# What is refused at load is named by its reason.
key_set_is_silent() {
    local set
    set=$("$ISSUER_TOOL" jwks | sed 's/"kty":"RSA"/"d":"AAAA","kty":"RSA"/')
    printf 'SELECT tenancy.load_jwks(:issuer, :jwks);\n' >"$DIR/load.sql"
    # shellcheck disable=SC2001
    pgbench -n -M prepared -t 1 -D issuer="$ISSUER" -D jwks="$set" -f "$DIR/load.sql" >/dev/null 2>&1 || true
    logged
    grep -oE '"(x|y|n)":"[^"]{40}' <<<"$set" | sed 's/.*":"//' >"$DIR/key-bytes"
    [[ -s $DIR/key-bytes ]] && grep -q 'load_jwks' "$DIR/log" && ! grep -aFf "$DIR/key-bytes" "$DIR/log"
}

refusals() { sql -c "SELECT coalesce(sum(count), 0) FROM tenancy.stat_tokens WHERE reason = 'token_expired'"; }

flood_is_short() {
    local expired before lines seconds=$SECONDS
    expired=$(head -n 1 "$DIR/tokens")
    before=$(refusals)
    for ((i = 0; i < 500; i++)); do echo "SELECT tenancy.set_tenant_from_jwt('$expired');"; done |
        psql -qXAt >/dev/null 2>&1 || true
    sleep 1.1
    psql -qXAt -c "SELECT tenancy.set_tenant_from_jwt('x.y')" >/dev/null 2>&1 || true
    logged
    lines=$(grep -c 'reason: token_expired' "$DIR/log")
    seconds=$((SECONDS - seconds))
    echo "$lines lines in $seconds s"
    ((lines > 0 && lines <= 5 * (seconds + 1))) || return 1
    grep -qE 'reason: token_malformed .*not logged before: [1-9]' "$DIR/log" || return 1
    equals $(($(refusals) - before)) 500
}
