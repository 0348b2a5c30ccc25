# shellcheck shell=bash
# Claims about a hot standby and about what a promotion carries over: reads, the registry, tokens that count once, rates,
# the chain of the audit log. Sourced by promoted.sh.

ONCE=https://once.issuer.example

# once JTI: a token of acme that counts once.
once() {
    issuer claims "$(printf '{"iss":"%s","aud":"agents","org_id":"acme","sub":"mallory","jti":"%s","exp":%d}' "$ONCE" "$1" $(($(date +%s) + 3600)))"
}
limited() { issuer claims "$(printf '{"iss":"%s","aud":"agents","org_id":"limited","sub":"m","exp":%d}' https://dev.issuer.example $(($(date +%s) + 3600)))"; }

# On the primary: seals, an audit row and a used token in a transaction that is prepared and stays so until after the
# promotion, and a tenant that has a burst of three requests.
before_the_standby() {
    TOKEN_USED=$(once used) TOKEN_PREPARED=$(once prepared) TOKEN_FRESH=$(once fresh) TOKEN_LIMITED=$(limited)
    admin -d attack_protected -v token="$TOKEN_ACME" -v used="$TOKEN_USED" -v prepared="$TOKEN_PREPARED" -v once="$ONCE" -v jwks="$(issuer jwks)" >/dev/null <<'END'
SELECT tenancy.add_issuer(:'once', '{agents}', 'org_id', one_time_jti => true), tenancy.add_tenant('acme', :'once', 'acme'),
    tenancy.add_tenant('limited', 'https://dev.issuer.example', 'limited'), tenancy.set_rate_limit('limited', 1, burst => 3);
SELECT count(*) FROM tenancy.load_jwks(:'once', :'jwks');
SELECT tenancy.set_tenant_from_jwt(:'used');
SELECT agent.create_session(:'token', '{}') FROM generate_series(1, 5);
SELECT count(*) FROM tenancy.seal_audit();
SELECT count(*) FROM tenancy.seal_audit();
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'prepared');
SELECT agent.create_session(:'prepared', '{"session_id": "prepared"}');
PREPARE TRANSACTION 'audit';
SELECT agent.create_session(:'token', '{"session_id": "after"}');
END
    HEAD_BEFORE=$(audit_head)
}
audit_head() { admin -d attack_protected -c "SELECT sha256 FROM tenancy.audit_head('acme')"; }

standby_claims() {
    local STAGE="hot standby: "
    standby_families
    try "${STAGE}there is a seal to continue from" gives "$(on_standby audit_head)" "$HEAD_BEFORE"
    try "${STAGE}a suspension counts at the next statement of an open transaction" \
        next_statement "$TOKEN_GLOBEX" 5001 "SELECT tenancy.suspend_tenant('globex')" PT403
    replayed "SELECT tenancy.resume_tenant('globex')" -d attack_protected
    try "${STAGE}so does a revocation" \
        next_statement "$TOKEN_ACME" 100 "SELECT tenancy.revoke_subject('https://dev.issuer.example', 'mallory')" PT401
    replayed "SELECT tenancy.unrevoke_subject('https://dev.issuer.example', 'mallory')" -d attack_protected
    try "${STAGE}a table that loses its row security is locked for a plan that was kept" lost_protection
    try "${STAGE}a token that counts once is refused, used or not" once_is_refused
    try "${STAGE}rates count there by themselves: a burst of three, then no more" gives "$(on_standby burst)" "t t t f"
    try "${STAGE}nothing is sealed, and no turn is admitted" no_writing
    try "${STAGE}the audit log is verified there" on_standby audit_verified
}

# The families but the one that writes. What is refused by the standby, whoever asks, does not count as getting through.
standby_families() {
    local LEAKS=("$HERE/standby_leaks.txt") FAMILIES=("${FAMILIES[@]}")
    read -ra FAMILIES <<<"${FAMILIES[*]/u_constraints/}"
    on_standby attack_families
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

# Locks of the primary are replayed, so that no transaction may be open.
lost_protection() {
    local read="BEGIN; SELECT tenancy.set_tenant_from_jwt(:'token') \\g /dev/null
EXECUTE kept; COMMIT;" answer
    on_standby open_session protected "$TOKEN_ACME" "PREPARE kept AS SELECT count(*) FROM shop.bookings;
\\set VERBOSITY terse
COMMIT; $read"
    replayed "ALTER TABLE shop.bookings DISABLE ROW LEVEL SECURITY" -d attack_protected
    close_session "$read"
    answer=$(sed 's/.*ERROR:  //' "$WORK/session.out" | tr -d '"' | xargs)
    replayed "ALTER TABLE shop.bookings ENABLE ROW LEVEL SECURITY" -d attack_protected
    gives "$answer" "1 ready table shop.bookings has lost its protection and is locked"
}

answer_to() { as_app -d attack_protected -v VERBOSITY=sqlstate -v token="$1" <<<"$2" 2>&1 | sed 's/.*ERROR:  //' | xargs; }
set_token() { answer_to "$1" "SELECT tenancy.set_tenant_from_jwt(:'token');"; }
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

token_claims() {
    local STAGE="promoted: "
    try "${STAGE}a used token stays used" gives "$(set_token "$TOKEN_USED")" PT401
    try "${STAGE}one that a prepared transaction used is waited for" \
        gives "$(answer_to "$TOKEN_PREPARED" "SET lock_timeout = '500ms'; SELECT tenancy.set_tenant_from_jwt(:'token');")" 55P03
    try "${STAGE}a fresh one counts once" gives "$(set_token "$TOKEN_FRESH") $(set_token "$TOKEN_FRESH")" "acme PT401"
    try "${STAGE}a burst that was taken on the standby is taken" gives "$(burst)" "f f f f"
    try "${STAGE}forged and expired tokens are refused" forgeries_refused
}
forgeries_refused() {
    local kind
    for kind in expired tampered other-key unregistered; do
        gives "$(set_token "$(issuer forged "$kind")")" PT401
    done
}

audit_claims() {
    local STAGE="promoted: "
    try "${STAGE}what is newer than a prepared transaction's row is not sealed" sealed_not_past_prepared
    admin -d attack_protected -c "COMMIT PREPARED 'audit'"
    try "${STAGE}the token of the prepared transaction is used now" gives "$(set_token "$TOKEN_PREPARED")" PT401
    try "${STAGE}seal_audit() continues the chain of the old primary" chain_goes_on
    try "${STAGE}every row is sealed, the prepared one too" all_sealed
    try "${STAGE}verify_audit() finds nothing" audit_verified
}
seal() { admin -d attack_protected -c "SELECT count(*) FROM tenancy.seal_audit()" >/dev/null; }
sealed_not_past_prepared() {
    seal && seal
    gives "$(admin -d attack_protected -c "SELECT count(*) FROM agent.audit_log a WHERE a.resource_id = 'after'
        AND a.audit_id > (SELECT max(s.last_audit_id) FROM agent.audit_seals s WHERE s.tenant_id = a.tenant_id)")" 1
}
chain_goes_on() {
    seal && seal
    gives "$(admin -d attack_protected -c "SELECT count(*) FROM agent.audit_seals s WHERE tenant_id = 'acme' AND encode(sha256, 'hex') = '$HEAD_BEFORE'
        AND EXISTS (SELECT FROM agent.audit_seals n WHERE n.tenant_id = 'acme' AND n.seal_no = s.seal_no + 1)")" 1
}
all_sealed() {
    gives "$(admin -d attack_protected -c "SELECT count(*) FROM agent.audit_log a WHERE NOT EXISTS (
        SELECT FROM agent.audit_seals s WHERE s.tenant_id = a.tenant_id AND a.audit_id = ANY (s.row_ids))")" 0
}
audit_verified() {
    gives "$(admin -d attack_protected -c "SELECT count(*) > 0, count(*) FILTER (WHERE NOT ok) FROM unnest('{acme,globex}'::text[]) t, tenancy.verify_audit(t)")" "t|0"
}
