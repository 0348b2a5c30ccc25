#!/usr/bin/env bash
# lifecycle.sh: a tenant's way out, and into another cluster: suspended, exported, imported there with everything as it
# was, erased here with a receipt. And an audit row that somebody rewrote is found. Two throw-away clusters.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
# shellcheck source=test/run/suite.sh
source "$ROOT/test/run/suite.sh"
cd "$ROOT"

BIN=$(dirname "${PG_CONFIG:-$(command -v pg_config)}")
export TENANCY_TEST_KEYS=$ROOT/build/check/keys
SECRET=kept-in-acme-4711

sql() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; } # on the new cluster
old() { PGHOST=$OLD_HOST PGPORT=$OLD_PORT sql "$@"; }
issuer() { test/tools/issuer.sh "$@"; }

# as_acme sql|old STATEMENT: what the application's role gets with acme's token
as_acme() {
    "$1" -U regress_app -v token="$ACME" -f - <<<"BEGIN; SET LOCAL tenancy.token = :'token'; $2; COMMIT;"
}

make_database() { # make_database sql|old ROWS
    "$1" -v jwks="$(issuer jwks)" -v with_rows="$2" -f - >/dev/null <<'SQL'
SET client_min_messages = warning;
CREATE EXTENSION pg_tenancy;
SELECT tenancy.add_issuer('https://dev.issuer.example', '{agents}', 'org_id');
SELECT tenancy.load_jwks('https://dev.issuer.example', :'jwks');
CREATE ROLE regress_app LOGIN;
SELECT tenancy.grant_app('regress_app');
\i test/sql/include/lifecycle.psql
GRANT USAGE ON SCHEMA life TO regress_app;
GRANT SELECT ON ALL TABLES IN SCHEMA life TO regress_app;
SELECT tenancy.harden(dry_run => false);
SQL
}

fill_old() {
    make_database old true
    old -c "SELECT tenancy.add_tenant(t, 'https://dev.issuer.example', t) FROM unnest('{acme,globex}'::text[]) t" \
        -c "SELECT tenancy.set_price('m', 1, 1), tenancy.set_budget('acme', 'month', 100)" \
        -c "SELECT tenancy.set_rate_limit('acme', 600), tenancy.set_file_quota('acme', 1000), tenancy.set_retention('acme', files => '30 days')" >/dev/null
    old -U regress_app -v token="$ACME" -v other="$(issuer token globex carol)" -v secret="$SECRET" -f - >/dev/null <<'SQL'
SELECT body ->> 'ticket' AS ticket FROM agent.begin_turn(:'token', jsonb_build_object('model', 'm', 'session_id', 's1', 'max_tokens', 100,
    'messages', jsonb_build_array(jsonb_build_object('role', 'user', 'content', :'secret')))) \gset
SELECT agent.end_turn(:'ticket', '{"status": "ok", "message": {"role": "assistant", "content": "y"}, "usage": {"prompt_tokens": 3, "completion_tokens": 25}}');
SELECT agent.create_file(:'token', '{"filename": "f.txt", "mime_type": "text/plain", "session_id": "s1"}', convert_to(:'secret', 'UTF8'));
SELECT agent.create_work_item(:'token', '{"title": "to do"}');
SELECT agent.create_session(:'other', '{"session_id": "s1"}');
SQL
    [[ $(old -c "SELECT count(*) FROM tenancy.seal_audit()") == 2 ]]
}

suspends() {
    old -c "SELECT tenancy.suspend_tenant('acme', 'moves')" >/dev/null
    [[ $(as_acme old "SELECT count(*) FROM life.orders" 2>&1) == *"tenant is suspended"* ]]
}

exports() {
    old -c "\copy (SELECT * FROM tenancy.export_tenant('acme')) TO '$WORK/acme'"
    grep -q "$SECRET" "$WORK/acme"
}

imports() {
    sql -f - >/dev/null <<SQL
CREATE TEMP TABLE incoming (table_name text, line jsonb);
\copy incoming FROM '$WORK/acme'
SELECT * FROM tenancy.import_tenant('incoming');
SELECT tenancy.resume_tenant('acme');
SQL
}

# All but the header, which says when, and the audit row of the import.
same_rows() {
    local of="SELECT * FROM tenancy.export_tenant('acme') WHERE table_name !~ '^#' AND line ->> 'action' IS DISTINCT FROM 'tenant.import'"
    diff <(old -c "$of" | sort) <(sql -c "$of" | sort)
}

same_settings() {
    local of="SELECT to_jsonb(x) - '{budget_id,changed_at}'::text[] FROM"
    local table
    for table in budgets rate_limits file_quotas retention; do
        diff <(old -c "$of tenancy.$table x WHERE tenant_id = 'acme'") <(sql -c "$of tenancy.$table x WHERE tenant_id = 'acme'") || return 1
        [[ -n $(sql -c "SELECT 1 FROM tenancy.$table WHERE tenant_id = 'acme'") ]]
    done
}

same_audit() {
    [[ $(sql -c "SELECT bool_and(ok) FROM tenancy.verify_audit('acme')") == t ]]
    diff <(old -c "SELECT * FROM tenancy.audit_head('acme')") <(sql -c "SELECT * FROM tenancy.audit_head('acme')")
}

acme_works_there() {
    [[ $(as_acme sql "SELECT count(*), min(tenant_id) FROM life.orders") == "2|acme" ]]
    [[ $(sql -U regress_app -v token="$ACME" <<<"SELECT status FROM agent.session_usage(:'token', '{\"session_id\": \"s1\"}')") == 200 ]]
    [[ $(as_acme sql "SELECT (SELECT convert_from(content, 'UTF8') FROM agent.file_contents), (SELECT title FROM agent.work_items)") == "$SECRET|to do" ]]
    [[ $(sql -c "SELECT files, bytes FROM agent.file_usage") == "1|${#SECRET}" ]]
    [[ $(sql -c "SELECT bool_and(ok) FROM tenancy.verify_counters()") != f ]]
}

wall_stands_there() {
    local rows
    [[ $(sql -U regress_app -c "SELECT count(*) FROM life.orders" 2>&1) == *"no tenant is set"* ]]
    [[ $(sql -U regress_app -c "SELECT tenancy.export_tenant('acme')" 2>&1) == *"permission denied"* ]]
    rows=$(sql -U regress_app -v token="$(issuer token globex carol)" <<<"SELECT tenancy.set_tenant_from_jwt(:'token')" 2>&1) || true
    [[ $rows == *"token rejected"* ]]
    sql -c "SELECT rule, object FROM tenancy.check_isolation() WHERE severity IN ('critical', 'high')" | diff /dev/null -
}

tampering_shows() {
    local row
    row=$(old -c "SELECT max(audit_id) FROM agent.audit_log WHERE tenant_id = 'acme'")
    [[ $(old -c "UPDATE agent.audit_log SET actor = 'somebody else'" 2>&1) == *"append-only"* ]]
    old -c "SET session_replication_role = replica; UPDATE agent.audit_log SET actor = 'somebody else' WHERE tenant_id = 'acme' AND audit_id = $row"
    [[ $(old -c "SELECT * FROM tenancy.verify_audit('acme') WHERE NOT ok") == "1|f|row was changed|$row" ]]
}

erases() {
    local said
    said=$(old -c "CALL tenancy.erase_tenant('acme', batch_rows => 2)" 2>&1)
    [[ $said == *"tenant acme is erased, receipt "* ]]
    [[ $(old -c "SELECT receipt FROM tenancy.erasures e WHERE receipt = tenancy.receipt_of(e)") == "${said##* }" ]]
}

nothing_is_left() {
    "$BIN/pg_dump" -h "$OLD_HOST" -p "$OLD_PORT" >"$WORK/dump"
    if grep -e "$SECRET" -e "$(printf '%s' "$SECRET" | od -An -v -tx1 | tr -d ' \n')" "$WORK/dump"; then return 1; fi
    grep -P '(^|\t)acme(\t|$)' "$WORK/dump" | cut -f1,4 | diff <(printf 'acme\tf\n') - # its receipt
    [[ $(old -c "SELECT count(*) FROM life.orders") == 1 ]]
    [[ $(old -c "SELECT bool_and(ok) FROM tenancy.verify_audit('globex')") == t ]]
}

stays_erased() {
    [[ $(as_acme old "SELECT 1" 2>&1; as_acme old "TABLE life.orders" 2>&1) == *"token rejected"* ]]
    [[ $(old -c "SELECT tenancy.add_tenant('acme', 'https://dev.issuer.example', 'acme')" 2>&1) == *'"acme" was erased'* ]]
}

drill() {
    WORK=$(mktemp -d)
    trap 'rm -rf "$WORK"' EXIT
    mkdir -p "$TENANCY_TEST_KEYS"
    ACME=$(issuer token acme alice)
    try "two clusters, one with two tenants" fill_old
    make_database sql false
    try "a suspended tenant's token is refused" suspends
    try "everything of it is exported to a file" exports
    try "another cluster takes the file in" imports
    try "every value is the same there" same_rows
    try "its limits, budgets, quota and retention are the same there" same_settings
    try "its audit log verifies there, under the same head" same_audit
    try "its token, sessions, files and work items work there, and its counters are right" acme_works_there
    try "the wall stands there" wall_stands_there
    try "an audit row that was rewritten is found" tampering_shows
    try "the old cluster erases it, with a receipt" erases
    try "nothing is left of it, and all of the other tenant" nothing_is_left
    try "its token and its name are refused from then on" stays_erased
    summary lifecycle
}

case ${1:-} in
drill) drill ;;
old) OLD_HOST=$PGHOST OLD_PORT=$PGPORT exec scripts/with-cluster.sh "$0" drill ;;
*) exec scripts/with-cluster.sh "$0" old ;;
esac
