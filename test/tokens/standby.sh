# shellcheck shell=bash
# A hot standby verifies by what it has replayed, and goes on after its promotion.

# A session of the standby that has the verdict in its caches asks again after the statement ran on the
# primary: prints both answers.
before_and_after() {
    local statement=$1 token=$2
    coproc SESSION { on_standby psql -qXAt 2>&1; }
    # shellcheck disable=SC2153 # the shell sets it
    local pid=$SESSION_PID from=${SESSION[0]} to=${SESSION[1]} first second
    ask() { echo "SELECT tenancy.set_tenant_from_jwt('$token');" >&"$to"; }
    ask && read -r -t 20 first <&"$from"
    replayed "$statement"
    ask && read -r -t 20 second <&"$from"
    echo '\q' >&"$to"
    wait "$pid" || true
    echo "$first, then $second"
}

standby_claims() {
    local alice bob rsa
    alice=$("$ISSUER_TOOL" token acme alice)
    bob=$("$ISSUER_TOOL" token acme bob)
    rsa=$("$ISSUER_TOOL" rs256 globex carol)
    sql -c "DELETE FROM tenancy.signing_keys" >/dev/null
    standby_start "$DIR"
    try "standby: without the key a token is refused" says "token rejected" on_standby verdict "$alice"
    replayed "SELECT count(*) FROM tenancy.load_jwks('$ISSUER', '$("$ISSUER_TOOL" jwks)')"
    try "standby: a key loaded on the primary verifies once it is replayed" says acme on_standby verdict "$alice"
    try "standby: another session finds the proof in the standby's own shared cache" \
        says 1 shared_hits_of_a_second_session "$bob"
    try "standby: a suspension counts in a session that knows the token" \
        says "globex, then ERROR:  tenant is suspended" before_and_after "SELECT tenancy.suspend_tenant('globex')" "$rsa"
    replayed "SELECT tenancy.resume_tenant('globex')"
    try "standby: a subject's revocation as well" says "acme, then ERROR:  token rejected" \
        before_and_after "SELECT tenancy.revoke_subject('$ISSUER', 'alice')" "$alice"
    try "standby: others are not concerned" says acme on_standby verdict "$bob"
    try "standby: a key's revocation as well" says "globex, then ERROR:  token rejected" \
        before_and_after "SELECT tenancy.revoke_key('$ISSUER', 'rsa')" "$rsa"
    standby_promote
    try "after promotion: what was good is good" says acme on_standby verdict "$bob"
    try "after promotion: what was revoked stays revoked" says "token rejected" on_standby verdict "$alice"
    try "after promotion: and the key too" says "token rejected" on_standby verdict "$rsa"
    on_standby sql -c "SELECT tenancy.unrevoke_subject('$ISSUER', 'alice')" >/dev/null
    try "after promotion: it is a primary like any other" says acme on_standby verdict "$alice"
}

shared_hits_of_a_second_session() {
    local hits="SELECT shared_hits FROM tenancy.stat_token_cache" before
    on_standby verdict "$1" >/dev/null
    before=$(on_standby sql -c "$hits")
    on_standby verdict "$1" >/dev/null
    echo $(($(on_standby sql -c "$hits") - before))
}
