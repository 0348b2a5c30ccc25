#!/usr/bin/env bash
# run.sh [NAME...]: the end-to-end tests, or those of the named files (oidc, isolation ...). Expects the
# extension to be installed and build/tenancyd to be built; starts everything else itself, in throw-away
# directories and on free loopback ports, and stops it. The last line is "e2e: N passed, N failed".
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"

HERE=$ROOT/test/e2e
# Every file has its own database, but a restart takes all of them away: these come last, alone.
ALONE=(restart)
# Tokens must stay out of the log even when it says as much as it can about each error.
CLUSTER_CONF="max_connections = 200
log_error_verbosity = verbose
log_min_messages = info
log_connections = on"

packages_are_current() { [[ $HERE/node_modules/.package-lock.json -nt $HERE/package-lock.json ]]; }

install_packages() {
    packages_are_current && return
    say "installing the npm packages of the lock file"
    (cd "$HERE" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >/dev/null &&
        touch "$HERE/node_modules/.package-lock.json"
}

is_alone() { [[ " ${ALONE[*]} " == *" $1 "* ]]; }

# All names, or those given, one a line; with `alone` only the ones that must run alone, else the others.
chosen() {
    local file name
    for file in "$HERE"/*.test.mjs; do
        name=$(basename "$file" .test.mjs)
        [[ -z $NAMES || " $NAMES " == *" $name "* ]] || continue
        if [[ $1 == alone ]]; then ! is_alone "$name" || echo "$name"; else is_alone "$name" || echo "$name"; fi
    done
}

run_files() {
    [[ $# -gt 0 ]] || return 0
    cd "$HERE"
    node --test --test-reporter=./support/reporter.mjs "${@/%/.test.mjs}" &
    NODE=$! # in the background, or no signal would reach us before its end
    wait "$NODE"
}

# Programs that a test file left running. A number alone proves nothing: it may be another program's by
# now, and all of ours have our directory among their arguments.
stop_the_rest() {
    local pid
    for pid in "$E2E_DIR"/pids/*; do
        pid=${pid##*/}
        ! tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "$E2E_DIR/" || kill -KILL "$pid" || true
    done
}

inside_cluster() {
    local status=0 names NODE=
    E2E_DIR=$(mktemp -d "${TMPDIR:-/tmp}/pg_tenancy-e2e.XXXXXX")
    chmod 0711 "$E2E_DIR" # the servers' user passes through to the directories that it owns
    export E2E_DIR
    mkdir "$E2E_DIR/pids"
    trap 'stop_the_rest; rm -rf "$E2E_DIR"' EXIT
    trap 'kill "$NODE" 2>/dev/null; wait "$NODE"; exit 143' INT TERM HUP
    mapfile -t names < <(chosen together)
    run_files "${names[@]}" || status=1
    mapfile -t names < <(chosen alone)
    run_files "${names[@]}" || status=1
    return "$status"
}

summary() {
    local passed failed skipped
    read -r passed failed skipped < <(awk '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0 }' "$E2E_COUNTS")
    if ((failed == 0 && ($1 != 0 || passed == 0))); then failed=1; fi
    printf 'e2e: %d passed, %d failed%s\n' "$passed" "$failed" "$( ((skipped == 0)) || echo ", $skipped skipped")"
    ((failed == 0))
}

main() {
    local status=0
    CHILD=
    E2E_COUNTS=$(mktemp)
    NAMES=$*
    export E2E_COUNTS NAMES CLUSTER_CONF
    trap 'rm -f "$E2E_COUNTS"' EXIT
    trap '[[ -z $CHILD ]] || kill "$CHILD" 2>/dev/null' INT TERM HUP
    if [[ ! -x $ROOT/build/tenancyd ]]; then
        warn "there is no build/tenancyd: run make server first"
        status=1
    elif ! install_packages; then
        warn "npm could not install the packages of $HERE/package-lock.json"
        status=1
    else
        # In the background, so that a signal is passed on while we wait for the cluster to be removed.
        "$ROOT/scripts/with-cluster.sh" "$HERE/run.sh" --inside-cluster &
        CHILD=$!
        until ! kill -0 "$CHILD" 2>/dev/null; do status=0 && wait "$CHILD" || status=1; done
    fi
    summary "$status"
}

if [[ ${1:-} == --inside-cluster ]]; then inside_cluster; else main "$@"; fi
