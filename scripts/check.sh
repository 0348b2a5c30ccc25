#!/usr/bin/env bash
# check.sh [SUITE...]: runs all test suites (or the named ones). Every suite ends with a line
# "<name>: N passed, N failed[, N skipped]"; our own last line adds them up. Logs: build/check/.
# The suites in SUITES run one after the other, those in BESIDE beside them, on what they leave of the processors:
# most of the first wait for databases, the others only compute, and share no build directory with them.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

TIME_LIMIT=1500 # seconds for one suite

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
    "unit-san    | test/run/unit.sh unit-san"
    "valgrind    | test/run/unit.sh valgrind"
    "server-san  | test/run/unit.sh server-san"
    "server-tsan | test/run/unit.sh server-tsan"
    "fuzz        | make --no-print-directory -j2 -C test/fuzz run SECONDS=5"
)
BESIDE=(
    "build-clang | test/run/build.sh"
    "lint        | test/run/lint.sh"
)

PASSED=0 FAILED=0 SKIPPED=0 BAD_SUITES=() CHILD='' LANE=''

# Puts COMMAND... behind all else: the kernel may weigh sessions before it weighs their processes, so in its own.
# shellcheck disable=SC2016
LAST=(setsid nice -n 19 bash -c '{ echo 19 >/proc/self/autogroup; } 2>/dev/null || true; exec "$@"' -)

# run_suite SUITE [WORD...]: runs it, with those words before its command; sets STATUS and TOOK (seconds).
run_suite() {
    local name start=$SECONDS
    name=$(name_of "$1") STATUS=0
    # shellcheck disable=SC2046 # a command and its words
    "${@:2}" timeout --kill-after=20 "$TIME_LIMIT" $(xargs <<<"${1#*|}") >"$LOGS/$name.log" 2>&1 </dev/null &
    CHILD=$!
    wait "$CHILD" || STATUS=$?
    CHILD='' TOOK=$((SECONDS - start))
}

# report_suite NAME STATUS SECONDS: adds the suite's counts; a suite that says nothing, or fails without
# counting a failure, counts as one failure.
report_suite() {
    local name=$1 status=$2 log=$LOGS/$1.log line counts
    line=$(grep -aE "^$name: [0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?\$" "$log" | tail -n 1 || true)
    mapfile -t counts < <(grep -oE '[0-9]+ (passed|failed|skipped)' <<<"$line" | cut -d' ' -f1)
    local passed=${counts[0]:-0} failed=${counts[1]:-0} skipped=${counts[2]:-0}
    if ((failed == 0 && (status != 0 || passed == 0))); then failed=1; fi
    PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed)) SKIPPED=$((SKIPPED + skipped))
    printf '%5d passed, %d failed, %d skipped  (%d s)\n' "$passed" "$failed" "$skipped" "$3"
    ((failed == 0)) || report_failure "$name" "$status" "$log"
}

# The lane of the suites beside: a line "STATUS SECONDS" for each, as it ends.
run_beside() {
    local suite
    trap stop_child EXIT
    for suite in "$@"; do
        run_suite "$suite" "${LAST[@]}"
        echo "$STATUS $TOOK"
    done
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

stop_child() {
    [[ -z $CHILD ]] || kill -TERM "$CHILD" 2>/dev/null || true
    wait || true
}

interrupted() {
    [[ -z $LANE ]] || kill -TERM "$LANE" 2>/dev/null || true
    stop_child
    die "interrupted"
}

# Everything below tests this very build, installed.
build_and_install() {
    scripts/build.sh && return
    say "0 passed, 1 failed"
    exit 1
}

name_of() { xargs <<<"${1%%|*}"; }

# wanted VARIABLE NAME...: keeps in that array the suites that are named, all if none is.
wanted() {
    local -n kept=$1
    local all=("${kept[@]}") suite
    shift
    (($# > 0)) || return 0
    kept=()
    for suite in "${all[@]}"; do
        [[ " $* " != *" $(name_of "$suite") "* ]] || kept+=("$suite")
    done
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
    local suite lane
    cd "$ROOT"
    LOGS=build/check
    mkdir -p "$LOGS"
    unset MAKEFLAGS MFLAGS MAKELEVEL
    wanted SUITES "$@"
    wanted BESIDE "$@"
    trap interrupted INT TERM HUP
    build_and_install
    exec {lane}< <(run_beside "${BESIDE[@]}")
    LANE=$!
    for suite in "${SUITES[@]}"; do
        printf '%-12s ' "$(name_of "$suite")"
        run_suite "$suite"
        report_suite "$(name_of "$suite")" "$STATUS" "$TOOK"
    done
    for suite in "${BESIDE[@]}"; do
        printf '%-12s ' "$(name_of "$suite")"
        read -r -u "$lane" STATUS TOOK || STATUS=1 TOOK=0 # the lane itself has failed
        report_suite "$(name_of "$suite")" "$STATUS" "$TOOK"
    done
    total
}

main "$@"
