# shellcheck shell=bash
# What make up and make run print in the end: commands to paste, each complete in one line.

show_usage() {
    local key=$STATE/issuer/key.pem session acme globex
    session=tour_$(openssl rand -hex 4)
    acme=$(dev_token "$key" acme alice 3600)
    globex=$(dev_token "$key" globex gina 3600)
    cat <<END

tenancyd    $TENANCYD_URL   (log $TENANCYD_LOG)
PostgreSQL  port $CLUSTER_PORT, socket in $CLUSTER_SOCKET, database $DEV_DATABASE   (log $CLUSTER_LOG)
Shell       . .run/env

The tokens below are valid for an hour; make token TENANT=acme SUB=alice prints a new one.

# Tenant acme makes a session, talks in it and reads it back:
$(curl_line POST /v1/sessions "$acme" "{\"session_id\":\"$session\"}")
$(curl_line POST /v1/chat/completions "$acme" "{\"model\":\"echo\",\"session_id\":\"$session\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}")
$(curl_line GET "/v1/sessions/$session" "$acme")

# Tenant globex has sessions of its own, and gets 404 for that of acme:
$(curl_line POST /v1/sessions "$globex" '{}')
$(curl_line GET "/v1/sessions/$session" "$globex")

# The same wall in psql, for the application role: rows of acme, rows of globex, no token: an error.
$(psql_line "$acme")
$(psql_line "$globex")
$(psql_line '')
END
}

# curl_line METHOD PATH TOKEN [BODY]
curl_line() {
    printf "curl -sS -w '\\\\n' -X %s '%s%s' -H 'Authorization: Bearer %s'" "$1" "$TENANCYD_URL" "$2" "$3"
    [[ -z ${4:-} ]] || printf " -H 'Content-Type: application/json' -d '%s'" "$4"
    echo
}

psql_line() {
    local become="-c \"SELECT tenancy.set_tenant_from_jwt('$1')\" "
    [[ -n $1 ]] || become=
    printf 'psql -X "host=%s port=%s dbname=%s user=%s" -c BEGIN %s-c "SELECT tenant_id, session_id FROM agent.sessions" -c COMMIT\n' \
        "$CLUSTER_SOCKET" "$CLUSTER_PORT" "$DEV_DATABASE" "$DEV_APP" "$become"
}
