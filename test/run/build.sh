#!/usr/bin/env bash
# build.sh gcc|clang: every source file of the extension and the server compiles without a warning.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
cd "$ROOT"

build_make() { make --no-print-directory -f test/run/build.mk COMPILER="$1" PG_CONFIG="$(pg_bin)/pg_config" "${@:2}"; }

main() {
    local file passed=0 failed=0
    [[ ${1:-} == gcc || ${1:-} == clang ]] || die "usage: build.sh gcc|clang"
    mkdir -p build/check
    build_make "$1" -k -j2 all || true
    # -q: is the file there and newer than all it is made of?
    for file in $(build_make "$1" list); do
        if build_make "$1" -q "$file" >/dev/null 2>&1; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            say "FAILED  $file"
        fi
    done
    printf 'build-%s: %d passed, %d failed\n' "$1" "$passed" "$failed"
    ((failed == 0))
}

main "$@"
