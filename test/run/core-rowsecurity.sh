#!/usr/bin/env bash
# core-rowsecurity.sh: PostgreSQL's own test of row-level security with the module loaded and the
# extension installed: no difference. The test is part of PostgreSQL's sources, not of ours:
# POSTGRES_SOURCE names an unpacked source tree of the same major version.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
cd "$ROOT"

NAME=core-rowsecurity
OUT=$ROOT/build/$NAME
TESTS=(test_setup rowsecurity)

# take_tests SOURCE: what the tests need, in OUT. psql has read on until "\." after a COPY that fails
# since CVE-2026-6464; older scripts do not have that line.
take_tests() {
    local test
    rm -rf "$OUT"
    mkdir -p "$OUT/sql" "$OUT/expected"
    cp -r "$1/data" "$OUT/data"
    for test in "${TESTS[@]}"; do
        sed 's/^COPY .*FROM STDIN; --fail.*/&\n\\./' "$1/sql/$test.sql" >"$OUT/sql/$test.sql"
        cp "$1/expected/$test.out" "$OUT/expected/"
    done
    gcc -shared -fPIC -w -I"$("$(pg_bin)/pg_config" --includedir-server)" -o "$OUT/regress.so" "$1/regress.c"
}

run() {
    local driver log=$OUT/driver.log status=0
    driver=$(dirname "$(dirname "$("$(pg_bin)/pg_config" --pgxs)")")/test/regress/pg_regress
    take_tests "$POSTGRES_SOURCE/src/test/regress"
    scripts/with-cluster.sh "$driver" --inputdir="$OUT" --outputdir="$OUT" --dlpath="$OUT" \
        --bindir="$(pg_bin)" --load-extension=pg_tenancy "${TESTS[@]}" >"$log" 2>&1 || status=1
    cat "$log"
    [[ $status -eq 0 ]] || cat "$OUT/regression.diffs" || true
    say "$NAME: $(grep -cE '\.\.\. ok|^ok ' "$log" || true) passed, $status failed"
    return "$status"
}

if [[ -n ${POSTGRES_SOURCE:-} ]]; then
    run
else
    say "POSTGRES_SOURCE is not set; it names an unpacked source tree of PostgreSQL, whose test this runs"
    say "$NAME: 0 passed, 0 failed, 1 skipped"
fi
