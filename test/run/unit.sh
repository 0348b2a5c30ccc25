#!/usr/bin/env bash
# unit.sh NAME: builds and runs one of the unit-test programs.
#   unit unit-san valgrind vectors      of the core: plain, under the address and undefined-behaviour
#                                       sanitizers, under valgrind, over published test vectors
#   shm                                 of the caches of verified tokens, under the thread sanitizer
#   server server-san server-tsan       of the server: plain, under those sanitizers, under the thread one
# Sanitizers are clang's, which compiles them in two thirds of gcc's time; gcc compiles what is plain.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
cd "$ROOT"

make_in() { make --no-print-directory -j2 -C "$@"; }

run_tests() {
    case $1 in
        unit) make_in test/unit run ;;
        unit-san) make_in test/unit run SAN=1 CXX=clang++-14 ;;
        vectors) make_in test/unit vectors ;;
        valgrind)
            # Allocation.* replaces operator new, as valgrind itself does; it runs in the other two.
            make_in test/unit build
            valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite \
                build/unit/unit_tests --gtest_filter='-Allocation.*'
            ;;
        shm) make_in test/shm run ;;
        server) make_in test/server run ;;
        server-san) make_in test/server run SAN=1 CXX=clang++-14 ;;
        server-tsan) make_in test/server run SAN=thread CXX=clang++-14 ;;
        *) die "usage: unit.sh unit|unit-san|valgrind|vectors|shm|server|server-san|server-tsan" ;;
    esac
}

# The test programs count for themselves; their line gets the suite's name. Without one, or when the
# program fails after it (a leak), the exit status says so.
main() {
    local log=build/check/$1-tests.log status=0 line
    mkdir -p build/check
    run_tests "$1" >"$log" 2>&1 || status=$?
    cat "$log"
    line=$(grep -aE '^(unit|vectors|server unit): [0-9]+ passed' "$log" | tail -n 1 || true)
    [[ -z $line ]] || printf '%s: %s\n' "$1" "${line#*: }"
    return "$status"
}

main "${1:-}"
