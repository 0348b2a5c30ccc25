# shellcheck shell=bash
# Counting for the suites beside it. A suite sources this, calls `try` once per claim, and ends with
# `summary NAME [SKIPPED]`, whose line scripts/check.sh reads.
PASSED=0
FAILED=0

# try CLAIM COMMAND...: the claim holds when the command succeeds. Its output is shown when it does not.
try() {
    local claim=$1 output status
    shift
    set +e # or the "if" would switch it off inside the command as well
    output=$(set -e && "$@" 2>&1)
    status=$?
    set -e
    if ((status == 0)); then
        PASSED=$((PASSED + 1))
        printf 'ok      %s\n' "$claim"
    else
        FAILED=$((FAILED + 1))
        printf 'FAILED  %s\n' "$claim"
        [[ -z $output ]] || printf '%s\n' "$output" | head -n 200 | sed 's/^/        /'
    fi
}

summary() {
    printf '%s: %d passed, %d failed%s\n' "$1" "$PASSED" "$FAILED" "${2:+, $2 skipped}"
    ((FAILED == 0 && PASSED > 0))
}
