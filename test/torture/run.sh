#!/usr/bin/env bash
# run.sh short|long [SCENARIO...]: proof of rates and budgets against crashes, races and broken clients,
# in a throw-away cluster that flushes to disk. Needs `make install` before. One line per claim, "ok" or
# "not ok"; fails when one does not hold. Scenarios: race giving_up crossings turns_at_a_time limits_moved
# backends_killed server_killed tenancyd_killed windows few_slots few_flows edges attack promotion (which must be
# last).
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
# shellcheck source=scripts/cluster.sh
source "$ROOT/scripts/cluster.sh"
# shellcheck source=test/run/standby.sh
source "$ROOT/test/run/standby.sh"
for part in lib scenarios flows edges restart server attack; do
    # shellcheck disable=SC1090
    source "$ROOT/test/torture/$part.sh"
done

ALL=(race giving_up crossings turns_at_a_time limits_moved backends_killed server_killed tenancyd_killed windows few_slots
    few_flows edges attack promotion)

# Many connections, two-phase commit to be refused, a quick start after a crash, and an end to waiting.
SETTINGS="fsync = on
max_connections = 220
max_prepared_transactions = 8
recovery_init_sync_method = syncfs
statement_timeout = 60s
log_min_error_statement = panic
include_if_exists = 'torture.conf'"

clean_up() {
    tenancyd_end
    standby_stop
    [[ -z $(jobs -p) ]] || wait # the load client ends by itself
    rm -rf "$TORTURE"
}

main() {
    local scenario
    [[ ${1:-} == short || ${1:-} == long ]] || die "usage: run.sh short|long [SCENARIO...]"
    if [[ -z ${CLUSTER_DATA:-} ]]; then
        CLUSTER_CONF=$SETTINGS exec "$ROOT/scripts/with-cluster.sh" "$ROOT/test/torture/run.sh" "$@"
    fi
    LONG=0
    [[ $1 == short ]] || LONG=1
    shift
    export CLUSTER_PORT=$PGPORT LONG
    TORTURE=$(mktemp -d "${TMPDIR:-/tmp}/torture.XXXXXX")
    chmod 711 "$TORTURE"
    if is_root; then chown "$(server_user):" "$TORTURE"; fi
    trap clean_up EXIT
    build_client
    make_database
    [[ $# -gt 0 ]] || set -- "${ALL[@]}"
    for scenario in "$@"; do
        "scenario_$scenario"
    done
    printf 'torture: %d passed, %d failed\n' "$PASSED" "$FAILED"
    ((FAILED == 0 && PASSED > 0))
}

main "$@"
