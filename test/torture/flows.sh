# shellcheck shell=bash
# More tenants and subjects with a rate limit than the limiter has room for. A subject's flow is of its tenant, so one
# token whose claim names one tenant after the other is one new subject after the other.

scenario_few_flows() {
    restart fast "tenancy.max_flows = 64"
    tenant flow
    sql -c "SELECT tenancy.add_tenant(t, 'https://dev.issuer.example', t) FROM unnest('{greedy,walled}' || ARRAY(SELECT 'many-' || i FROM generate_series(1, 200) i)) t" \
        -c "SELECT tenancy.set_rate_limit(subject_requests_per_minute => 2)" \
        -c "SELECT tenancy.set_rate_limit('walled', 1, burst => 2, subject_requests_per_minute => 60000)" >/dev/null
    check "few flows: a subject and a tenant use up what they may" equals "$(ask_as greedy greedy greedy walled walled walled | xargs)" "t t f t t f"
    # shellcheck disable=SC2046 # words
    ask_as $(many) >"$TORTURE/subjects"
    check "few flows: 200 more subjects are let in, each once, with room for 64" equals "$(sort "$TORTURE/subjects" | uniq -c | xargs)" "200 t"
    check "few flows: who owed most is not forgotten for them" equals "$(ask_as greedy)" f
    check "few flows: nor is any tenant's own limit" equals "$(ask_as walled)" f
    sql -c "SELECT tenancy.set_rate_limit(requests_per_minute => 1, burst => 1)" >/dev/null
    # shellcheck disable=SC2046
    ask_as $(many) >"$TORTURE/tenants" 2>&1
    check "few flows: tenants that find no room are refused, not let in unmetered" equals \
        "$(grep -c '^t$' "$TORTURE/tenants") $(grep -c 'no room for another tenant' "$TORTURE/tenants")" "63 137"
    check "few flows: those inside are metered on" equals "$(ask_as many-1 walled | xargs)" "f f"
    sql -c "DELETE FROM tenancy.rate_limits" >/dev/null
    restart fast
}

many() { seq -f 'many-%g' 200; }

# ask_as TENANT...: takes a request of each, in transactions of their own; prints whether it was allowed.
ask_as() {
    local who
    for who; do
        printf "UPDATE tenancy.tenant_claims SET tenant_id = '%s' WHERE claim_value = 'flow';\n" "$who"
        printf "BEGIN; SET LOCAL tenancy.token = '%s'; SELECT allowed FROM tenancy.take_request(); COMMIT;\n" "$(token_of flow)"
    done | psql -qXAt
}
