# shellcheck shell=bash
# Claims about a hot standby, and about what only a promotion can carry over: rates, and what a prepared transaction did.
# Sourced by promoted.sh.

# A tenant of its own with a burst of three requests; and an audit row and the use of a token in a transaction that is
# prepared and stays so until after the promotion.
before_the_standby() {
    make_history
    TOKEN_PREPARED=$(token_for acme prepared "$ONCE") TOKEN_LIMITED=$(token_for limited limited)
    admin -d attack_protected -v token="$TOKEN_ACME" -v prepared="$TOKEN_PREPARED" >/dev/null <<'END'
SELECT tenancy.add_tenant('limited', 'https://dev.issuer.example', 'limited'), tenancy.set_rate_limit('limited', 1, burst => 3);
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'prepared');
SELECT agent.create_session(:'prepared', '{"session_id": "prepared"}');
PREPARE TRANSACTION 'audit';
SELECT agent.create_session(:'token', '{"session_id": "after"}');
END
}

standby_claims() {
    local STAGE="hot standby: "
    standby_families
    try "${STAGE}B8 B11 started without the module it answers nothing" closed_without_module
    try "${STAGE}there is a seal to continue from" gives "$(on_standby audit_head)" "$HEAD_BEFORE"
    try "${STAGE}B11 a suspension counts at the next statement of an open transaction" \
        next_statement "$TOKEN_GLOBEX" 5001 "SELECT tenancy.suspend_tenant('globex')" PT403
    replayed "SELECT tenancy.resume_tenant('globex')" -d attack_protected
    try "${STAGE}so does a revocation" \
        next_statement "$TOKEN_ACME" 100 "SELECT tenancy.revoke_subject('https://dev.issuer.example', 'mallory')" PT401
    replayed "SELECT tenancy.unrevoke_subject('https://dev.issuer.example', 'mallory')" -d attack_protected
    try "${STAGE}a table that loses its row security is locked for a plan that was kept" lost_protection
    try "${STAGE}a token that counts once is refused, used or not" once_is_refused
    try "${STAGE}rates count there by themselves: a burst of three, then no more" gives "$(on_standby burst)" "t t t f"
    try "${STAGE}B11 nothing is sealed, and no turn is admitted" no_writing
    try "${STAGE}the audit log is verified there" on_standby audit_verified
}

# The families but the one that writes. What is refused by the standby, whoever asks, does not count as getting through.
standby_families() {
    # shellcheck disable=SC2034 # attack_families reads it
    local LEAKS=("$HERE/standby_leaks.txt") FAMILIES=("${FAMILIES[@]}")
    read -ra FAMILIES <<<"${FAMILIES[*]/u_constraints/}"
    on_standby attack_families
}

# Settings are not replicated, so that somebody will forget this one.
closed_without_module() {
    local answer read="SET tenancy.token = :'token'; SELECT count(*) FROM shop.accounts; SELECT count(*) FROM agent.sessions;"
    standby_ctl stop && standby_ctl -o "-c shared_preload_libraries=''" -l "$STANDBY/server.log" start
    answer=$(on_standby answer_to "$TOKEN_ACME" "$read")
    standby_ctl stop && standby_ctl -l "$STANDBY/server.log" start
    gives "$answer" "55000 55000"
}

# next_statement TOKEN ROWS SQL STATE: a transaction of the tenant on the standby reads its rows; SQL runs on the primary;
# its next statement gives STATE.
next_statement() {
    local count="SELECT count(*) FROM shop.accounts;"
    on_standby open_session protected "$1" "\\set VERBOSITY sqlstate
$count"
    replayed "$3" -d attack_protected
    close_session "$count"
    gives "$(sed 's/.*ERROR:  //' "$WORK/session.out" | xargs)" "$2 ready $4"
}

# psql keeps a plan by PREPARE only, which is refused; drivers do so by messages.
PREPARES="ALTER ROLE attack_app SET tenancy.guard = 'prepare'" PREPARES_NOT="ALTER ROLE attack_app RESET tenancy.guard"

# Locks of the primary are replayed, so that no transaction may be open.
lost_protection() {
    local read="BEGIN; SELECT tenancy.set_tenant_from_jwt(:'token') \\g /dev/null
EXECUTE kept; COMMIT;" answer
    replayed "$PREPARES"
    on_standby open_session protected "$TOKEN_ACME" "PREPARE kept AS SELECT count(*) FROM shop.bookings;
\\set VERBOSITY terse
COMMIT; $read"
    replayed "$PREPARES_NOT"
    replayed "ALTER TABLE shop.bookings DISABLE ROW LEVEL SECURITY" -d attack_protected
    close_session "$read"
    answer=$(sed 's/.*ERROR:  //' "$WORK/session.out" | tr -d '"' | xargs)
    replayed "ALTER TABLE shop.bookings ENABLE ROW LEVEL SECURITY" -d attack_protected
    gives "$answer" "1 ready table shop.bookings has lost its protection and is locked"
}

once_is_refused() {
    gives "$(on_standby set_token "$TOKEN_USED") $(on_standby set_token "$TOKEN_FRESH")" "25006 25006"
}
burst() {
    answer_to "$TOKEN_LIMITED" "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; BEGIN; SELECT tenancy.set_tenant_from_jwt(:'token') \\g /dev/null
SELECT (tenancy.take_request(1)).allowed FROM generate_series(1, 4);"
}
# A counter that a refused turn left behind would be believed after the promotion.
no_writing() {
    local begin="SELECT agent.begin_turn(:'token', '{\"model\": \"m\", \"max_tokens\": 9, \"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}');"
    gives "$(on_standby seal_state) $(on_standby answer_to "$TOKEN_ACME" "$begin") $(on_standby slots)" "25006 25006 0"
}
seal_state() { psql -qXAt -d attack_protected -v VERBOSITY=sqlstate -c "SELECT tenancy.seal_audit()" 2>&1 | sed 's/.*ERROR:  //'; }
slots() { admin -d attack_protected -c "SELECT count(*) FROM tenancy.slots()"; }

prepared_claims() {
    local STAGE="promoted: "
    try "${STAGE}a token that a prepared transaction used is waited for" \
        gives "$(answer_to "$TOKEN_PREPARED" "SET lock_timeout = '500ms'; SELECT tenancy.set_tenant_from_jwt(:'token');")" 55P03
    try "${STAGE}what is newer than its row is not sealed" sealed_not_past_prepared
    admin -d attack_protected -c "COMMIT PREPARED 'audit'"
    try "${STAGE}the token is used when it commits" gives "$(set_token "$TOKEN_PREPARED")" PT401
    try "${STAGE}a burst that was taken on the standby is taken" gives "$(burst)" "f f f f"
}
sealed_not_past_prepared() {
    seal && seal
    gives "$(admin -d attack_protected -c "SELECT count(*) FROM agent.audit_log a WHERE a.resource_id = 'after'
        AND a.audit_id > (SELECT max(s.last_audit_id) FROM agent.audit_seals s WHERE s.tenant_id = a.tenant_id)")" 1
}
