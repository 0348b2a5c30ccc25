#!/usr/bin/env bash
# package.sh: the Debian packages of build/deb (make deb) in a clean Debian 12: they install with their
# dependencies, start nothing, pass the tour of the isolation, and leave nothing behind when purged.
# Takes minutes, the network and root. ROOTS= names a directory for the root file system.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
# shellcheck source=test/run/suite.sh
source "$ROOT/test/run/suite.sh"
# shellcheck source=test/run/root.sh
source "$ROOT/test/run/root.sh"

ROOTS=${ROOTS:-$ROOT/build/roots}
CLEAN=$ROOTS/packages
PACKAGES=(postgresql-15-pg-tenancy tenancyd)
UNITS=(tenancyd.service tenancyd-sync-keys.service)
EXPOSURE=12 # of 100: the worst that systemd may rate a unit. One protection less is more

inside() { in_root "$CLEAN" env -u PG_CONFIG DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"; }

installs() {
    cp "$ROOT"/build/deb/{postgresql-15-pg-tenancy,tenancyd}_*.deb "$CLEAN/tmp/"
    inside sh -c 'apt-get -qq install -y --no-install-recommends /tmp/*.deb && rm /tmp/*.deb'
}
# dpkg -V names what differs from its package.
is_as_packaged() { [[ -z $(inside dpkg -V "${PACKAGES[@]}" | tee /dev/stderr) ]]; }
versions_agree() {
    local version
    version=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" "$ROOT/extension/pg_tenancy.control")
    # shellcheck disable=SC2016 # dpkg-query's own variable
    [[ $(inside dpkg-query -W -f '${Version} ' "${PACKAGES[@]}") == "$version-"*" $version-"* ]]
    [[ $(inside tenancyd --version) == "tenancyd $version" ]]
}
example_is_valid() { inside tenancyd check-config /etc/tenancyd/tenancyd.example.yaml; }
# shellcheck disable=SC2016 # dpkg-query's own variable
example_is_a_conffile() { inside dpkg-query -W -f '${Conffiles}' tenancyd | grep -F ' /etc/tenancyd/tenancyd.example.yaml '; }

# No link starts a unit at boot, and its condition is a file that the administrator writes.
nothing_starts() {
    [[ -z $(find "$CLEAN/etc/systemd" -name 'tenancyd*' | tee /dev/stderr) ]]
    local unit
    for unit in "${UNITS[@]}"; do
        grep -qx 'ConditionPathExists=/etc/tenancyd/tenancyd.yaml' "$CLEAN/lib/systemd/system/$unit"
    done
    [[ ! -e $CLEAN/etc/tenancyd/tenancyd.yaml ]]
}
units_are_valid() { [[ -z $(systemd-analyze verify --man=no --root="$CLEAN" "${UNITS[@]}" 2>&1 | grep tenancyd | tee /dev/stderr) ]]; }
units_are_hardened() {
    local unit
    for unit in "${UNITS[@]}"; do
        systemd-analyze security --no-pager --offline=true --root="$CLEAN" --threshold="$EXPOSURE" "$unit" >"$ROOTS/$unit.txt" ||
            { cat "$ROOTS/$unit.txt" && return 1; }
        tail -n 1 "$ROOTS/$unit.txt" >&3
    done
}

# demo.sh with what is installed in place of what it would build.
tour_passes() {
    local tour=$CLEAN/tour script
    mkdir -p "$tour/build" "$tour/extension" "$tour/sql"
    cp -r "$ROOT/scripts" "$tour/"
    cp "$ROOT/extension/pg_tenancy.control" "$tour/extension/"
    for script in deps build; do printf '#!/bin/sh\n' >"$tour/scripts/$script.sh"; done
    cp "$CLEAN/usr/bin/tenancyd" "$tour/build/"
    cp "$CLEAN/usr/lib/postgresql/15/lib/pg_tenancy.so" "$tour/"
    cp "$CLEAN"/usr/share/postgresql/15/extension/pg_tenancy--*.sql "$tour/sql/"
    inside /tour/scripts/demo.sh >"$ROOTS/tour.log" 2>&1 || tail -n 30 "$ROOTS/tour.log"
    rm -rf "$tour"
    grep -E '^demo: [0-9]+ passed, 0 failed$' "$ROOTS/tour.log" >&3
}

# What an administrator wrote for the services stays when they are removed, and goes when they are purged.
removes() {
    touch "$CLEAN"/etc/tenancyd/{tenancyd.yaml,environment,sync-keys.environment}
    inside apt-get -qq remove -y "${PACKAGES[@]}"
    [[ -e $CLEAN/etc/tenancyd/tenancyd.yaml && -e $CLEAN/etc/tenancyd/tenancyd.example.yaml && ! -e $CLEAN/usr/bin/tenancyd ]]
}
purges() {
    inside apt-get -qq purge -y "${PACKAGES[@]}"
    [[ -z $(find "$CLEAN" -xdev \( -name '*tenancy*' -o -name '*pg-tenancy*' \) | tee /dev/stderr) ]]
}

main() {
    exec 3>&1
    ls "$ROOT"/build/deb/*.deb >/dev/null || die "there are no packages in build/deb (make deb builds them)"
    rm -rf "$CLEAN"
    make_root "$CLEAN" bookworm curl openssl systemd procps # for the tour, and what units refer to
    try "the packages install in a clean system" installs
    try "every file is as it was packaged" is_as_packaged
    try "packages and program have the extension's version" versions_agree
    try "the example configuration is valid" example_is_valid
    try "the example configuration is a conffile" example_is_a_conffile
    try "nothing starts before it is configured" nothing_starts
    try "systemd finds no mistake in the units" units_are_valid
    try "the units are locked down" units_are_hardened
    try "the installed pair passes the tour of the isolation" tour_passes
    try "removing keeps the configuration" removes
    try "purging leaves no file" purges
    rm -rf "$CLEAN"
    summary package
}

main
