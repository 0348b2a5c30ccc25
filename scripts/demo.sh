#!/usr/bin/env bash
# demo.sh: a tour of the isolation. Two tenants work; then one of them, a thief of tokens, and whoever
# holds the application's database role try what must not work. Every step prints what it tries, what
# had to come and what came. Starts the environment when it is not up, and stops it again then.
set -euo pipefail
STATUS=none # of the last HTTP request
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
for part in cluster dev-issuer dev-state dev-server demo-tools; do
    # shellcheck source=/dev/null
    source "$ROOT/scripts/$part.sh"
done

two_tenants_work() {
    heading "Two tenants, each with a valid token, use the same server and the same database role"
    http POST /v1/sessions "$ACME" "{\"session_id\":\"$SESSION\"}"
    expect "acme creates session $SESSION" 201 "$STATUS"
    http POST /v1/chat/completions "$ACME" "{\"model\":\"echo\",\"session_id\":\"$SESSION\",\"messages\":[{\"role\":\"user\",\"content\":\"$SECRET\"}]}"
    expect "acme says a secret word in it" 200 "$STATUS"
    TRACE=$(sed -n 's/^[Xx]-[Tt]race-[Ii]d: *\([a-z0-9_]*\).*/\1/p' "$WORK/head")
    expect "the answer names its trace" "?*" "$TRACE"
    http POST /v1/feedback "$ACME" "{\"rating\":1,\"trace_id\":\"$TRACE\",\"session_id\":\"$SESSION\",\"comment\":\"$SECRET\"}"
    expect "acme rates the answer" 201 "$STATUS"
    FEEDBACK=$(member feedback_id)
    http GET "/v1/sessions/$SESSION" "$ACME"
    expect "acme reads the session back: question and echo hold the secret" "200 2" "$STATUS $(mentions "$SECRET")"
    local path
    for path in /v1/traces /v1/feedback /v1/audit; do
        http GET "$path" "$ACME"
        expect "acme finds its trace in GET $path" "200 yes" "$STATUS $(mentions_trace)"
    done
    http POST /v1/sessions "$GLOBEX" "{\"session_id\":\"$OTHER\"}"
    expect "globex creates session $OTHER" 201 "$STATUS"
}

mentions_trace() { if (($(mentions "\"trace_id\":\"$TRACE\""))); then echo yes; else echo no; fi; }

# What globex gets for the ids of acme, with the secret nowhere in it.
foreign_ids_over_http() {
    heading "globex knows the ids of acme and asks for them over HTTP"
    local step method path body
    for step in "GET /v1/sessions/$SESSION" "GET /v1/sessions/$SESSION/usage" \
        "POST /v1/sessions/$SESSION/fork {}" "POST /v1/sessions/$SESSION/revert {\"to_message_index\":0}" \
        "DELETE /v1/sessions/$SESSION" "GET /v1/traces/$TRACE" "PATCH /v1/feedback/$FEEDBACK {\"rating\":-1}"; do
        read -r method path body <<<"$step"
        http "$method" "$path" "$GLOBEX" "$body"
        expect "$method $path" "404 0" "$STATUS $(mentions "$SECRET")"
    done
    for path in /v1/traces /v1/feedback "/v1/feedback?trace_id=$TRACE" "/v1/feedback?session_id=$SESSION" /v1/audit; do
        http GET "$path" "$GLOBEX"
        expect "GET $path: acme's trace, feedback and secret are not in it" "200 no 0 0" \
            "$STATUS $(mentions_trace) $(mentions "\"feedback_id\":\"$FEEDBACK\"") $(mentions "$SECRET")"
    done
    http POST /v1/chat/completions "$GLOBEX" "{\"model\":\"echo\",\"session_id\":\"$SESSION\",\"messages\":[{\"role\":\"user\",\"content\":\"what was said?\"}]}"
    expect "a chat under acme's session id is a session of globex, without acme's history" "200 0" "$STATUS $(mentions "$SECRET")"
    http GET /v1/traces "$GLOBEX" "" "X-Tenant: acme"
    expect "a header X-Tenant: acme beside globex's token" 403 "$STATUS"
    http DELETE "/v1/sessions/$SESSION" "$GLOBEX"
}

# The whole answer, with the id and what differs from request to request taken out.
normal_answer() {
    http "$1" "$2" "$GLOBEX" "${4:-}"
    { grep -viE '^(date|x-request-id|x-trace-id):' "$WORK/head" && cat "$WORK/body"; } | sed "s/$3/ID/g" >"$WORK/answer-$5"
}

foreign_is_unknown() {
    heading "A foreign id and an unknown id get the same answer, byte for byte"
    local step method path body own unknown
    for step in "GET /v1/sessions/ID $SESSION" "GET /v1/sessions/ID/usage $SESSION" "DELETE /v1/sessions/ID $SESSION" \
        "POST /v1/sessions/ID/fork $SESSION {}" "POST /v1/sessions/ID/revert $SESSION {\"to_message_index\":0}" \
        "GET /v1/traces/ID $TRACE" "PATCH /v1/feedback/ID $FEEDBACK {\"rating\":-1}"; do
        read -r method path own body <<<"$step"
        unknown=$(tr '0-9a-f' '1-9a-f0' <<<"$own") # same length, same form
        normal_answer "$method" "${path/ID/$own}" "$own" "$body" foreign
        normal_answer "$method" "${path/ID/$unknown}" "$unknown" "$body" unknown
        expect "$method $path" "404 same" "$STATUS $(cmp -s "$WORK/answer-foreign" "$WORK/answer-unknown" && echo same || echo different)"
    done
}

bad_tokens_are_refused() {
    heading "Tokens that are not good, over HTTP (401) and in SQL (SQLSTATE PT401)"
    local name token
    http GET "/v1/sessions/$SESSION" ""
    expect "HTTP, no token" "401 1" "$STATUS $(grep -ci '^www-authenticate: *bearer' "$WORK/head")"
    while IFS=$'\t' read -r name token; do
        http GET "/v1/sessions/$SESSION" "$token"
        expect "HTTP, $name" "401 1" "$STATUS $(grep -ci '^www-authenticate: *bearer.*invalid_token' "$WORK/head")"
        expect "SQL, $name" "ERROR PT401" "$(sql_verdict "$token")"
    done < <(bad_tokens)
}

rows_in_psql() {
    heading "The application's own database role in psql, with globex's token or with none"
    expect "no token: read sessions" "ERROR 42501" "$(sql 'SELECT count(*) FROM agent.sessions;')"
    expect "no token: copy the audit log out" "ERROR 42501" "$(sql 'COPY agent.audit_log TO STDOUT;')"
    expect "globex's token: whose sessions" globex "$(as_tenant globex 'SELECT DISTINCT tenant_id FROM agent.sessions;')"
    expect "acme's token: whose sessions" acme "$(as_tenant acme 'SELECT DISTINCT tenant_id FROM agent.sessions;')"
    local table
    for table in sessions messages traces spans feedback audit_log usage; do
        expect "globex: rows of others in agent.$table" 0 "$(as_tenant globex "SELECT count(*) FROM agent.$table WHERE tenant_id <> 'globex';")"
    done
    expect "globex: insert a session for acme" "ERROR 42501" "$(as_tenant globex "INSERT INTO agent.sessions (tenant_id, session_id) VALUES ('acme', 'planted');")"
    expect "globex: update feedback of acme" "" "$(as_tenant globex "UPDATE agent.feedback SET comment = 'changed' WHERE tenant_id = 'acme' RETURNING 'changed';")"
    expect "globex: delete sessions of acme" "" "$(as_tenant globex "DELETE FROM agent.sessions WHERE tenant_id = 'acme' RETURNING 'deleted';")"
    expect "globex: give a row to acme" "ERROR 42501" "$(as_tenant globex "UPDATE agent.sessions SET tenant_id = 'acme';")"
    expect "globex: delete from the audit log" "ERROR 42501" "$(as_tenant globex 'DELETE FROM agent.audit_log;')"
    expect "globex: write into the audit log" "ERROR 42501" "$(as_tenant globex "INSERT INTO agent.audit_log (action) VALUES ('made up');")"
    expect "globex: empty the table of all tenants" "ERROR 42501" "$(as_tenant globex 'TRUNCATE agent.sessions;')"
}

# Everything a role can set, from any side, to become another tenant or to keep one.
context_cannot_be_forged() {
    heading "The same role tries to become another tenant, or to stay one"
    local count='SELECT count(*) FROM agent.sessions;' whose='SELECT DISTINCT tenant_id FROM agent.sessions;'
    expect "SET a tenant by name" "ERROR ????? globex" "$(sql "SET tenancy.tenant_id = 'acme'; $(in_tenant globex "$whose")")"
    expect "set_config a tenant by name" "ERROR ????? globex" "$(sql "SELECT set_config('tenancy.tenant', 'acme', false); $(in_tenant globex "$whose")")"
    expect "SET LOCAL tenancy.token to a tenant's name" "ERROR PT401" "$(sql "BEGIN; SET LOCAL tenancy.token = 'acme'; $count ROLLBACK;")"
    expect "a token in PGOPTIONS" "ERROR 42501" "$(PGOPTIONS="-c tenancy.token=$ACME" sql "$count")"
    expect "tenancy.context_scope in PGOPTIONS" "*permission denied*" "$(PGOPTIONS='-c tenancy.context_scope=session' sql "$count")"
    expect "SET tenancy.context_scope" "ERROR 42501" "$(sql "SET tenancy.context_scope = 'session';")"
    expect "SET ROLE to the superuser" "ERROR 42501" "$(sql "SET ROLE $DEV_ADMIN;")"
    expect "SET SESSION AUTHORIZATION" "ERROR 42501" "$(sql "SET SESSION AUTHORIZATION $DEV_ADMIN;")"
    expect "ALTER ROLE ... SET a token" "ERROR 42501" "$(sql "ALTER ROLE $DEV_APP SET tenancy.token = :'acme';")"
    expect "ALTER ROLE ... SET tenancy.context_scope" "ERROR 42501" "$(sql "ALTER ROLE $DEV_APP SET tenancy.context_scope = 'session';")"
    expect "a token SET (without LOCAL) in an earlier transaction" "ERROR 42501" "$(sql "SET tenancy.token = :'acme'; $count")"
    expect "a transaction of acme on the same connection before" "ERROR 42501" "$(sql "$(in_tenant acme 'SELECT 1 \g /dev/null') $count")"
    expect "acme's token after globex's in one transaction" "ERROR PT401" "$(as_tenant globex "SELECT tenancy.set_tenant_from_jwt(:'acme');")"
    expect "a refused token, its error caught, leaves no context standing" "ERROR PT401 ERROR 42501" "$(as_tenant globex "$CAUGHT $count")"
}
CAUGHT="SAVEPOINT s; SELECT tenancy.set_tenant_from_jwt('x'); ROLLBACK TO s;"

wall_cannot_be_removed() {
    heading "The same role tries to take the wall down"
    local statement
    for statement in 'ALTER TABLE agent.sessions DISABLE ROW LEVEL SECURITY' 'ALTER TABLE agent.sessions NO FORCE ROW LEVEL SECURITY' \
        'CREATE POLICY open ON agent.sessions USING (true)' 'DROP TABLE agent.sessions CASCADE' \
        'DROP EXTENSION pg_tenancy CASCADE' 'SELECT * FROM tenancy.signing_keys' "INSERT INTO tenancy.tenant_claims VALUES ('$DEV_ISSUER', 'globex2', 'acme')" \
        "SELECT tenancy.add_tenant('acme', '$DEV_ISSUER', 'globex2')" "SELECT tenancy.grant_app('$DEV_APP')" \
        "ALTER ROLE $DEV_APP BYPASSRLS"; do
        expect "$statement" "ERROR 42501" "$(sql "$statement;")"
    done
    expect "SET row_security = off" "ERROR 42501" "$(as_tenant globex 'SET LOCAL row_security = off; SELECT count(*) FROM agent.sessions;')"
}

nothing_happened_to_acme() {
    heading "After all that"
    http GET "/v1/sessions/$SESSION" "$ACME"
    expect "acme's session is whole" "200 2" "$STATUS $(mentions "$SECRET")"
    http GET "/v1/feedback?trace_id=$TRACE" "$ACME"
    expect "acme's feedback is as it was" "200 1" "$STATUS $(mentions '"rating":1')"
    http DELETE "/v1/sessions/$SESSION" "$ACME"
    expect "acme deletes its session" 200 "$STATUS"
    http DELETE "/v1/sessions/$OTHER" "$GLOBEX"
    expect "globex deletes its own" 200 "$STATUS"
}

start_environment() {
    forget_libpq_environment
    set_state_paths
    STARTED_HERE=
    if ! { cluster_runs && tenancyd_runs; }; then STARTED_HERE=yes; fi
    WORK=$(mktemp -d)
    trap stop_environment EXIT
    "$ROOT/scripts/dev.sh" up >"$WORK/up" || { cat "$WORK/up" && die "the environment did not start"; }
    set_state_paths
    PATH=$(pg_bin):$PATH
    ACME=$(dev_token "$STATE/issuer/key.pem" acme alice 1800)
    GLOBEX=$(dev_token "$STATE/issuer/key.pem" globex gina 1800)
    SESSION=acme-$(openssl rand -hex 8)
    OTHER=globex-$(openssl rand -hex 8)
    SECRET=secret$(openssl rand -hex 8)
}

stop_environment() {
    rm -rf "$WORK"
    [[ -z $STARTED_HERE ]] || "$ROOT/scripts/dev.sh" down >/dev/null
}

main() {
    start_environment
    two_tenants_work
    foreign_ids_over_http
    foreign_is_unknown
    bad_tokens_are_refused
    rows_in_psql
    context_cannot_be_forged
    wall_cannot_be_removed
    nothing_happened_to_acme
    printf '\ndemo: %d passed, %d failed\n' "$PASSED" "$FAILED"
    ((FAILED == 0))
}

main "$@"
