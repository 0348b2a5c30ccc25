#!/usr/bin/env bash
# tidy.sh FILE: clang-tidy on one file, unless this very text was found clean before with the same
# headers and rules (build/check/tidy/common, which lint.sh writes).
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
cd "$ROOT"

# Compiler flags that the file needs to be understood, one a line.
flags_of() {
    [[ $1 != test/shm/* ]] || echo -Itest/shm # before extension/, as its Makefile has it
    printf '%s\n' -std=c++20 -Wreserved-identifier -Iextension -Iserver -I.
    case $1 in
        extension/core/*) ;;
        extension/*) printf '%s\n' -isystem "$("$(pg_bin)/pg_config" --includedir-server)" ;;
        *) pkg-config --cflags libpq cpp-httplib yaml-cpp spdlog hiredis | xargs -n 1 | sed 's/^-I/-isystem/' ;;
    esac
}

main() {
    local stamp flags checks=()
    stamp=build/check/tidy/$(cat "$1" build/check/tidy/common | sha256sum | cut -c1-40)
    [[ ! -e $stamp ]] || return 0
    # The slow search for paths is for code in the database's processes; the server's runs under sanitizers.
    # Tests are held to what finds mistakes, not to style.
    case $1 in
        extension/*) ;;
        test/*) checks=(--checks='-clang-analyzer-*,-modernize-*,-readability-*,-cert-*') ;;
        *) checks=(--checks='-clang-analyzer-*') ;;
    esac
    mapfile -t flags < <(flags_of "$1")
    clang-tidy-14 --quiet "${checks[@]}" "$1" -- "${flags[@]}" 2>/dev/null && touch "$stamp"
}

main "$1"
