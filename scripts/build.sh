#!/usr/bin/env bash
# build.sh: builds the extension and tenancyd as the user who calls it, and installs the extension into
# PostgreSQL's directories (with sudo when not root) unless the same files are there already.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

LOG=build/build.log

build() {
    say "building the extension and tenancyd (log: $LOG)"
    make --no-print-directory -j"$(nproc)" all server >"$LOG" 2>&1 && return
    grep -n 'error:' "$LOG" | head -n 20 >&2 || true
    show_tail "$ROOT/$LOG" 20
    die "the build failed; its log is $ROOT/$LOG"
}

# install_extension PG_CONFIG
install_extension() {
    local lib share
    lib=$("$1" --pkglibdir)
    share=$("$1" --sharedir)/extension
    ! is_installed "$lib" "$share" || return 0
    say "installing the extension into $lib and $share"
    as_root make --no-print-directory install PG_CONFIG="$1" >>"$LOG" 2>&1 && return
    show_tail "$ROOT/$LOG" 20
    die "could not install the extension; the log is $ROOT/$LOG"
}

is_installed() {
    local file
    cmp -s pg_tenancy.so "$1/pg_tenancy.so" || return 1
    for file in extension/*.control sql/pg_tenancy--*.sql sql/updates/pg_tenancy--*.sql; do
        [[ ! -e $file ]] || cmp -s "$file" "$2/${file##*/}" || return 1
    done
}

main() {
    unset MAKEFLAGS MFLAGS MAKELEVEL
    mkdir -p build
    build
    install_extension "$(pg_bin)/pg_config"
}

main
