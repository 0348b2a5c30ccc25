#!/usr/bin/env bash
# fips-module.sh: puts an OpenSSL FIPS provider for the tests at build/fips/fips.so, or links the one that
# FIPS_MODULE names. It is Debian 13's package openssl-provider-fips, unpacked and not installed, whose
# module serves Debian 12's library as well. Nobody has validated this build of it: it is for tests.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

MODULE=$ROOT/build/fips/fips.so
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg # of Debian's archive: what is not signed with it is refused
RELEASE=trixie

# apt-get with lists of its own, so that the machine's stay as they are.
private_apt() {
    apt-get -qq -o Dir::State="$WORK/state" -o Dir::Cache="$WORK/cache" -o Dir::Etc::sourcelist="$WORK/sources.list" \
        -o Dir::Etc::sourceparts=- -o APT::Sandbox::User="$(id -un)" "$@" </dev/null
}

download() {
    local uri
    command -v apt-get >/dev/null || die "this is no Debian system; set FIPS_MODULE to a fips.so of OpenSSL 3"
    uri=$(debian_mirror)
    [[ -n $uri && -s $KEYRING ]] || die "no mirror of Debian in the package sources; set FIPS_MODULE to a fips.so of OpenSSL 3"
    echo "deb [signed-by=$KEYRING] $uri $RELEASE main" >"$WORK/sources.list"
    mkdir -p "$WORK/state/lists/partial" "$WORK/cache/archives/partial"
    cd "$WORK"
    { private_apt update && private_apt download openssl-provider-fips; } ||
        die "openssl-provider-fips cannot be had from the mirror; set FIPS_MODULE to a fips.so of OpenSSL 3"
    dpkg-deb -x openssl-provider-fips_*.deb unpacked
    find "$WORK/unpacked" -name fips.so -type f
}

main() {
    local found
    mkdir -p "${MODULE%/*}"
    if [[ -n ${FIPS_MODULE:-} ]]; then
        [[ -r $FIPS_MODULE ]] || die "FIPS_MODULE=$FIPS_MODULE cannot be read"
        ln -sf "$(realpath "$FIPS_MODULE")" "$MODULE"
    elif [[ ! -s $MODULE ]]; then
        WORK=$(mktemp -d "${TMPDIR:-/tmp}/pg_tenancy-fips.XXXXXX")
        trap 'rm -rf "$WORK"' EXIT
        found=$(download)
        install -m 0644 "$found" "$MODULE"
    fi
    say "$MODULE"
}

main "$@"
