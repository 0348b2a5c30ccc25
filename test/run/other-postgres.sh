#!/usr/bin/env bash
# other-postgres.sh MAJOR: the extension on another version of PostgreSQL, in a root file system of the
# Debian release that has it (18: its development release): builds and installs the extension and runs the
# SQL and attack suites; 17 builds tenancyd too. Takes minutes, the network and root. ROOTS= names a directory
# for the root file system.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
# shellcheck source=test/run/suite.sh
source "$ROOT/test/run/suite.sh"
# shellcheck source=test/run/root.sh
source "$ROOT/test/run/root.sh"

ROOTS=${ROOTS:-$ROOT/build/roots}
MAJOR=${1:-}
OTHER=$ROOTS/postgres-$MAJOR
LIBRARIES=(libpq-dev libssl-dev nlohmann-json3-dev libcpp-httplib-dev libyaml-cpp-dev libspdlog-dev libhiredis-dev)

inside() { in_root "$OTHER" env -u PG_CONFIG -C /src PG_MAJOR="$MAJOR" LC_ALL=C.UTF-8 WERROR=-Werror "$@"; }

builds() { inside make -j2 "$@" >"$ROOTS/build-$MAJOR.log" 2>&1 || { grep -m 20 'error' "$ROOTS/build-$MAJOR.log" && return 1; }; }

run_suite() { # run_suite NAME COMMAND...
    local name=$1 log=$ROOTS/$1-$MAJOR.log
    shift
    inside "$@" >"$log" 2>&1 || { { grep -A5 '^FAILED' "$log" || tail -n 150 "$log"; } && return 1; }
    grep -E "^$name: [0-9]+ passed" "$log" >&3
}

main() {
    local suite packages=(g++ make pkg-config openssl curl jq sqlsmith)
    exec 3>&1
    case $MAJOR in
    17) suite=trixie ;;
    18) suite=sid ;;
    *) die "usage: other-postgres.sh 17|18" ;;
    esac
    rm -rf "$OTHER"
    make_root "$OTHER" "$suite" "${packages[@]}" "postgresql-$MAJOR" "postgresql-server-dev-$MAJOR" "${LIBRARIES[@]}"
    copy_sources "$OTHER/src"
    try "the extension compiles without a warning" builds all
    [[ $MAJOR != 17 ]] ||
        try "tenancyd compiles" builds server WERROR= # g++ 14 sees an array bound where there is none
    try "the extension is installed" inside make install
    try "the regression tests pass" run_suite regress test/run/pg-regress.sh regress
    try "the isolation tests pass" run_suite isolation test/run/pg-regress.sh isolation
    try "the attack suite passes" run_suite attack test/attack/run.sh
    rm -rf "$OTHER"
    summary "postgres-$MAJOR"
}

main
