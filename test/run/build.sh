#!/usr/bin/env bash
# build.sh: every source file of the extension and the server compiles with clang without a warning.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
cd "$ROOT"

build_make() { make --no-print-directory -f test/run/build.mk PG_CONFIG="$(pg_bin)/pg_config" "$@"; }

main() {
    local file passed=0 failed=0
    mkdir -p build/check
    build_make -k -j2 all || true
    # -q: is the file there and newer than all it is made of?
    for file in $(build_make list); do
        if build_make -q "$file" >/dev/null 2>&1; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            say "FAILED  $file"
        fi
    done
    printf 'build-clang: %d passed, %d failed\n' "$passed" "$failed"
    ((failed == 0))
}

main
