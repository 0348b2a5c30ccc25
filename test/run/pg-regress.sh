#!/usr/bin/env bash
# pg-regress.sh regress|isolation: PostgreSQL's own test drivers in a throw-away cluster; expects the
# extension to be installed. Counts the drivers' "ok" and "FAILED" (version 15) or TAP lines (16 on).
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
cd "$ROOT"

# "make installcheck" runs both drivers; the variable of the other is emptied.
run_driver() {
    local other=ISOLATION= CLUSTER_CONF=${CLUSTER_CONF:-}
    [[ $1 == regress ]] || other=REGRESS=
    mkdir -p "build/$1"
    export TENANCY_TEST_KEYS=$ROOT/build/check/keys # made by the tests' token issuer
    [[ $1 == regress ]] || CLUSTER_CONF=$(spec_settings)
    # A transaction of autovacuum's would keep the audit log from being sealed for a moment.
    export CLUSTER_CONF="autovacuum = off
$CLUSTER_CONF"
    local options=
    # A specification cannot call a program: its token and keys come in as settings.
    [[ $1 == regress ]] ||
        options="-c test.token=$(test/tools/issuer.sh token acme alice) -c test.jwks=$(test/tools/issuer.sh jwks) \
-c test.other_token=$(test/tools/issuer.sh token globex carol)"
    scripts/with-cluster.sh env PGOPTIONS="$options" make --no-print-directory installcheck "$other"
}

# Specs cannot call the token issuer: they read its key set and a token from settings of the cluster.
spec_settings() {
    printf "test.jwks = '%s'\ntest.token = '%s'\n" \
        "$(test/tools/issuer.sh jwks)" "$(test/tools/issuer.sh token acme alice)"
}

count() { grep -cE "$1" "$2" || true; }

main() {
    local log=build/check/$1-driver.log passed failed status=0
    mkdir -p build/check
    run_driver "$1" >"$log" 2>&1 || status=1
    cat "$log"
    passed=$(count '\.\.\. ok|^ok ' "$log")
    failed=$(count '\.\.\. FAILED|^not ok ' "$log")
    if [[ $failed -gt 0 ]]; then cat "build/$1/regression.diffs" || true; fi
    if [[ $failed -eq 0 && ($status -ne 0 || $passed -eq 0) ]]; then failed=1; fi
    printf '%s: %d passed, %d failed\n' "$1" "$passed" "$failed"
    ((failed == 0))
}

[[ ${1:-} == regress || ${1:-} == isolation ]] || die "usage: pg-regress.sh regress|isolation"
main "$1"
