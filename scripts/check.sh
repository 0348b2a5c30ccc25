#!/usr/bin/env bash
# check.sh [SUITE...]: runs all test suites (or the named ones) in order. Every suite ends with a line
# "<name>: N passed, N failed[, N skipped]"; our own last line adds them up. Logs: build/check/.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

TIME_LIMIT=1200 # seconds for one suite

# name | command. Fast ones first. What is listed must be there and must run something.
SUITES=(
    "layers      | scripts/check-layers.sh"
    "scripts     | test/run/scripts.sh"
    "symbols     | test/run/symbols.sh"
    "regress     | test/run/pg-regress.sh regress"
    "isolation   | test/run/pg-regress.sh isolation"
    "dump        | test/run/dump.sh"
    "upgrade     | test/upgrade/run.sh"
    "lifecycle   | test/run/lifecycle.sh"
    "doctor      | test/run/doctor.sh"
    "attack      | test/attack/run.sh"
    "restored    | test/attack/run.sh restored"
    "promoted    | test/attack/run.sh promoted"
    "tokens      | test/tokens/run.sh"
    "demo        | scripts/demo.sh"
    "readme      | test/readme/run.sh"
    "unit        | test/run/unit.sh unit"
    "vectors     | test/run/unit.sh vectors"
    "fips        | test/fips/run.sh"
    "shm         | test/run/unit.sh shm"
    "e2e         | test/e2e/run.sh"
    "torture     | test/torture/check.sh"
    "build-clang | test/run/build.sh"
    "unit-san    | test/run/unit.sh unit-san"
    "valgrind    | test/run/unit.sh valgrind"
    "server-san  | test/run/unit.sh server-san"
    "server-tsan | test/run/unit.sh server-tsan"
    "fuzz        | make --no-print-directory -j2 -C test/fuzz run SECONDS=5"
    "lint        | test/run/lint.sh"
)

PASSED=0 FAILED=0 SKIPPED=0 BAD_SUITES=() CHILD=

# run_suite NAME COMMAND: adds the suite's counts; a suite that says nothing, or fails without
# counting a failure, counts as one failure.
run_suite() {
    local name=$1 log=$LOGS/$1.log status=0 start=$SECONDS line counts
    printf '%-12s ' "$name"
    # shellcheck disable=SC2086 # a command and its words
    timeout --kill-after=20 "$TIME_LIMIT" $2 >"$log" 2>&1 </dev/null &
    CHILD=$!
    wait "$CHILD" || status=$?
    CHILD=
    line=$(grep -aE "^$name: [0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?\$" "$log" | tail -n 1 || true)
    mapfile -t counts < <(grep -oE '[0-9]+ (passed|failed|skipped)' <<<"$line" | cut -d' ' -f1)
    local passed=${counts[0]:-0} failed=${counts[1]:-0} skipped=${counts[2]:-0}
    if ((failed == 0 && (status != 0 || passed == 0))); then failed=1; fi
    PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed)) SKIPPED=$((SKIPPED + skipped))
    printf '%5d passed, %d failed, %d skipped  (%d s)\n' "$passed" "$failed" "$skipped" $((SECONDS - start))
    ((failed == 0)) || report_failure "$name" "$status" "$log"
}

report_failure() {
    BAD_SUITES+=("$1")
    [[ $2 -ne 124 ]] || say "    stopped after $TIME_LIMIT seconds"
    say "    exit status $2; from $3:"
    {
        grep -anE '^FAILED|^ *not ok|  FAILED  |\.\.\. FAILED|\berror:' "$3" | head -n 25 || true
        echo "..."
        tail -n 40 "$3"
    } | cut -c1-220 | sed 's/^/    | /'
}

interrupted() {
    [[ -z $CHILD ]] || kill -TERM "$CHILD" 2>/dev/null || true
    wait || true
    die "interrupted"
}

# Everything below tests this very build, installed.
build_and_install() {
    scripts/build.sh && return
    say "0 passed, 1 failed"
    exit 1
}

wanted() { # wanted NAME SUITE...: whether NAME is among the suites asked for, or none were
    local name=$1 asked
    shift
    [[ $# -gt 0 ]] || return 0
    for asked in "$@"; do [[ $asked != "$name" ]] || return 0; done
    return 1
}

total() {
    local text="$PASSED passed, $FAILED failed"
    ((SKIPPED == 0)) || text+=", $SKIPPED skipped"
    [[ ${#BAD_SUITES[@]} -eq 0 ]] || say "failed suites: ${BAD_SUITES[*]}"
    say "in $((SECONDS / 60)) min $((SECONDS % 60)) s"
    say "$text"
    ((FAILED == 0 && PASSED > 0))
}

main() {
    local suite name
    cd "$ROOT"
    LOGS=build/check
    mkdir -p "$LOGS"
    unset MAKEFLAGS MFLAGS MAKELEVEL
    trap interrupted INT TERM HUP
    build_and_install
    for suite in "${SUITES[@]}"; do
        name=$(xargs <<<"${suite%%|*}")
        ! wanted "$name" "$@" || run_suite "$name" "$(xargs <<<"${suite#*|}")"
    done
    total
}

main "$@"
