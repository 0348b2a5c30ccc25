# shellcheck shell=bash
# What neither a dump nor a promotion may lose: tokens that were used or revoked, suspensions, the chain of the audit log.
# Sourced by run.sh.

ONCE=https://once.issuer.example # whose tokens count once

# token_for TENANT JTI [ISSUER]
token_for() {
    issuer claims "$(printf '{"iss":"%s","aud":"agents","org_id":"%s","sub":"someone","jti":"%s","exp":%d}' \
        "${3:-https://dev.issuer.example}" "$1" "$2" $(($(date +%s) + 3600)))"
}

# In the first cluster. Exported, for whoever is asked about it may be another process.
make_history() {
    TOKEN_USED=$(token_for acme used "$ONCE") TOKEN_FRESH=$(token_for acme fresh "$ONCE")
    TOKEN_REVOKED=$(token_for acme revoked) TOKEN_SUSPENDED=$(token_for suspended suspended)
    admin -d attack_protected -v token="$TOKEN_ACME" -v used="$TOKEN_USED" -v once="$ONCE" -v jwks="$(issuer jwks)" >/dev/null <<'END'
SELECT tenancy.add_issuer(:'once', '{agents}', 'org_id', one_time_jti => true), tenancy.add_tenant('acme', :'once', 'acme'),
    tenancy.add_tenant('suspended', 'https://dev.issuer.example', 'suspended'), tenancy.suspend_tenant('suspended'),
    tenancy.revoke_token('https://dev.issuer.example', 'revoked');
SELECT count(*) FROM tenancy.load_jwks(:'once', :'jwks');
SELECT tenancy.set_tenant_from_jwt(:'used');
SELECT agent.create_session(:'token', '{}') FROM generate_series(1, 5);
END
    seal && seal # the first round only looks at what runs
    HEAD_BEFORE=$(audit_head)
    export TOKEN_USED TOKEN_FRESH TOKEN_REVOKED TOKEN_SUSPENDED HEAD_BEFORE
}

seal() { admin -d attack_protected -c "SELECT count(*) FROM tenancy.seal_audit()" >/dev/null; }
audit_head() { admin -d attack_protected -c "SELECT sha256 FROM tenancy.audit_head('acme')"; }

# answer_to TOKEN SQL: rows and SQLSTATEs of errors. set_token TOKEN: the tenant, or the SQLSTATE.
answer_to() { as_app -d attack_protected -v VERBOSITY=sqlstate -v token="$1" <<<"$2" 2>&1 | sed 's/.*ERROR:  //' | xargs; }
set_token() { answer_to "$1" "SELECT tenancy.set_tenant_from_jwt(:'token');"; }

carried_claims() {
    try "${STAGE}B9 a used token stays used" gives "$(set_token "$TOKEN_USED")" PT401
    try "${STAGE}a fresh one counts once" gives "$(set_token "$TOKEN_FRESH") $(set_token "$TOKEN_FRESH")" "acme PT401"
    try "${STAGE}B9 a revoked token stays revoked" gives "$(set_token "$TOKEN_REVOKED")" PT401
    try "${STAGE}B9 a suspended tenant stays suspended" gives "$(set_token "$TOKEN_SUSPENDED")" PT403
    try "${STAGE}forged and expired tokens are refused" forgeries_refused
    try "${STAGE}seal_audit() continues the chain" chain_goes_on
    try "${STAGE}every row of the audit log is sealed" all_sealed
    try "${STAGE}verify_audit() finds nothing" audit_verified
    try "${STAGE}verify_counters() finds nothing" counters_verified
}

forgeries_refused() {
    local kind
    for kind in expired tampered other-key unregistered; do
        gives "$(set_token "$(issuer forged "$kind")")" PT401
    done
}
chain_goes_on() {
    gives "$(answer_to "$TOKEN_ACME" "SELECT status FROM agent.create_session(:'token', '{}');")" 201
    seal && seal
    gives "$(admin -d attack_protected -c "SELECT count(*) FROM agent.audit_seals s WHERE tenant_id = 'acme' AND encode(sha256, 'hex') = '$HEAD_BEFORE'
        AND EXISTS (SELECT FROM agent.audit_seals n WHERE n.tenant_id = 'acme' AND n.seal_no = s.seal_no + 1)")" 1
}
all_sealed() {
    gives "$(admin -d attack_protected -c "SELECT count(*) FROM agent.audit_log a WHERE NOT EXISTS (
        SELECT FROM agent.audit_seals s WHERE s.tenant_id = a.tenant_id AND a.audit_id = ANY (s.row_ids))")" 0
}
audit_verified() {
    gives "$(admin -d attack_protected -c "SELECT count(*) > 0, count(*) FILTER (WHERE NOT ok) FROM tenancy.tenants t, tenancy.verify_audit(t.tenant_id)")" "t|0"
}
counters_verified() { gives "$(admin -d attack_protected -c "SELECT count(*) FROM tenancy.verify_counters() WHERE NOT ok")" 0; }
