#!/usr/bin/env bash
# deb.sh: builds the Debian packages into build/deb, from a copy of the checkout, so that what is built
# in the checkout itself stays as it is.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

OUT=$ROOT/build/deb
COPY=$OUT/source

copy_checkout() {
    rm -rf "$OUT"
    mkdir -p "$COPY"
    tar -C "$ROOT" --exclude-vcs --exclude=node_modules --exclude=./build --exclude=./.run \
        --exclude='*.o' --exclude='*.d' --exclude='*.so' --exclude='*.list' -c . | tar -C "$COPY" -x
}

main() {
    unset MAKEFLAGS MFLAGS MAKELEVEL PG_CONFIG PG_MAJOR WERROR
    command -v dpkg-buildpackage dh >/dev/null || die "debhelper is missing (make deps-deb installs it)"
    copy_checkout
    say "building packages (log: build/deb/build.log)"
    (cd "$COPY" && dpkg-buildpackage -b -us -uc -j"$(nproc)") >"$OUT/build.log" 2>&1 || {
        grep -n 'error:' "$OUT/build.log" | head -n 20 >&2 || true
        show_tail "$OUT/build.log" 10
        die "the packages could not be built; the log is $OUT/build.log"
    }
    rm -rf "$COPY"
    ls "$OUT"/*.deb
}

main
