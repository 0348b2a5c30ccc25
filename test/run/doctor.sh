#!/usr/bin/env bash
# doctor.sh: the rules of tenancy.check_isolation() that are about a server: settings, pg_hba.conf, sessions.
# In a cluster of its own that has everything wrong. The rules about a database: test/sql/check_isolation.sql.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
# shellcheck source=test/run/suite.sh
source "$ROOT/test/run/suite.sh"

export CLUSTER_CONF="max_prepared_transactions = 2
listen_addresses = '127.0.0.1, 127.0.0.2'
password_encryption = md5
lo_compat_privileges = on
row_security = off
allow_system_table_mods = on
log_statement = all
log_parameter_max_length_on_error = -1
tenancy.context_scope = session"

FROM_SETTINGS=(connections_unencrypted error_parameters_logged large_objects_unchecked password_encryption_md5
    prepared_transactions_on setting_context_scope setting_replica_role setting_row_security_off
    statement_parameters_logged statements_logged system_tables_modifiable)

sql() { psql -qXAt -v ON_ERROR_STOP=1 "$@"; }

# found RULE...: the doctor finds each; lost RULE...: it finds none of them.
found() {
    local rule status=0
    for rule; do
        [[ $(sql -c "SELECT count(*) FROM tenancy.check_isolation() WHERE rule = '$rule'") -ge 1 ]] || { echo "no $rule" && status=1; }
    done
    return "$status"
}
lost() {
    local list
    list=$(printf "'%s'," "$@")
    [[ -z $(sql -c "SELECT rule, object FROM tenancy.check_isolation() WHERE rule IN (${list%,})" | tee /dev/stderr) ]]
}

server() { as_server "$(pg_bin)/pg_ctl" -D "$CLUSTER_DATA" -l "$CLUSTER_LOG" -w -m fast "$@" </dev/null >/dev/null 2>&1; }

# Each fix of a setting is one ALTER SYSTEM; what it resets was set in the file, so the file goes, too.
settings_are_fixed() {
    sql -c "SELECT fix FROM tenancy.check_isolation() WHERE fix LIKE 'ALTER SYSTEM SET%'" | while read -r fix; do sql -c "$fix"; done
    sed -i -E '/^(password_encryption|lo_compat|row_security|allow_system|tenancy\.context|listen_|session_repl|log_statement)/d' "$CLUSTER_DATA/pg_tenancy.conf"
    server restart
    lost "${FROM_SETTINGS[@]}"
}

trust_is_found() {
    lost network_trust
    sed -i 's/scram-sha-256$/trust/' "$CLUSTER_DATA/pg_hba.conf"
    found network_trust local_trust
}

# What sessions left behind before their role became an application's, or while a guard was lifted.
leftovers_are_found() {
    local session
    lost session_leftover prepared_transaction
    sql -c "SELECT tenancy.revoke_app('app')"
    sql -U app -c "CREATE TEMP TABLE left_behind ()" -c "SELECT pg_sleep(30)" >/dev/null 2>&1 &
    session=$!
    sql -U app -c "BEGIN" -c "PREPARE TRANSACTION 'app''s'"
    wait_until 10 temporary_table_is_there
    sql -c "SELECT tenancy.grant_app('app')"
    found session_leftover prepared_transaction
    sql -c "SELECT fix FROM tenancy.check_isolation() WHERE rule = 'prepared_transaction'" | sql -f -
    lost prepared_transaction
    kill "$session"
    wait "$session" || true
}
temporary_table_is_there() { [[ $(sql -c "SELECT count(*) FROM pg_class WHERE relname = 'left_behind'") == 1 ]]; }

unloaded_module_is_found() {
    lost module_not_preloaded
    sed -i "s/^shared_preload_libraries.*/shared_preload_libraries = ''/" "$CLUSTER_DATA/pg_tenancy.conf"
    server restart
    found module_not_preloaded
}

inside_cluster() {
    sql -c "CREATE EXTENSION pg_tenancy" -c "CREATE ROLE app LOGIN" -c "SELECT tenancy.grant_app('app')" >/dev/null
    echo "session_replication_role = replica" >>"$CLUSTER_DATA/pg_tenancy.conf"
    server reload
    wait_until 10 found setting_replica_role >/dev/null
    try "each wrong setting is found" found "${FROM_SETTINGS[@]}"
    try "what sessions leave behind is found, and the fix ends it" leftovers_are_found
    try "the fixes of settings close them" settings_are_fixed
    try "trust on the network is found" trust_is_found
    try "a server without the module is found" unloaded_module_is_found
    summary doctor
}

if [[ ${1:-} == inside ]]; then inside_cluster; else "$ROOT/scripts/with-cluster.sh" "$ROOT/test/run/doctor.sh" inside; fi
