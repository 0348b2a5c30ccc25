#!/usr/bin/env bash
# deps.sh run|check: installs the Debian packages that are missing. `run` is what it takes to build
# and run pg_tenancy; `check` adds what the tests and linters use. Asks nothing.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

RUN_PACKAGES=(
    "postgresql-$PG_MAJOR" "postgresql-server-dev-$PG_MAJOR" libpq-dev
    g++ make pkg-config openssl libssl-dev
    nlohmann-json3-dev libcpp-httplib-dev libyaml-cpp-dev libspdlog-dev libhiredis-dev
    curl
)
CHECK_PACKAGES=(
    clang-14 clang-format clang-tidy cppcheck valgrind shellcheck
    libgtest-dev libclang-rt-14-dev python3-cryptography-vectors pgbouncer jq sqlsmith wrk
)

BACKPORTS=/etc/apt/sources.list.d/pg_tenancy-backports.list

# A Node.js that is already there (nodesource, nvm ...) is kept: Debian's would replace or shadow it.
node_is_enough() {
    local version
    version=$(node --version 2>/dev/null) && version=${version#v} && ((${version%%.*} >= 18))
}

wanted() {
    printf '%s\n' "${RUN_PACKAGES[@]}"
    [[ $1 == check ]] || return 0
    printf '%s\n' "${CHECK_PACKAGES[@]}"
    node_is_enough || echo nodejs
    command -v npm >/dev/null || echo npm
}

is_installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

missing() {
    local package
    wanted "$1" | while read -r package; do
        is_installed "$package" || echo "$package"
    done
}

install_packages() {
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq)
    say "installing: $*"
    as_root "${apt[@]}" update </dev/null ||
        die "apt-get update failed (see above); check the network and /etc/apt/sources.list*"
    as_root "${apt[@]}" install -y --no-install-recommends "$@" </dev/null ||
        die "apt-get could not install the packages above; fix what it reports and run this again"
}

is_known() { [[ -n $(apt-cache madison "$1" 2>/dev/null) ]]; }

# Backports of this release from the mirror that its packages come from, in a file of their own.
add_backports() {
    local codename mirror
    codename=$(debian_codename)
    mirror=$(debian_mirror)
    [[ -n $codename && -n $mirror ]] || return 0
    say "adding $codename-backports in $BACKPORTS, for valkey-tools"
    echo "deb $mirror $codename-backports main" | as_root tee "$BACKPORTS" >/dev/null
    as_root apt-get -qq update </dev/null || true
    is_known valkey-tools || as_root rm -f "$BACKPORTS"
}

# A Valkey for the tests. The tools hold the server's program and start no service. Debian 12 has them in
# its backports only.
install_valkey() {
    ! is_installed valkey-tools && ! is_installed redis-tools || return 0
    is_known valkey-tools || add_backports
    if is_known valkey-tools; then
        install_packages valkey-tools
    else
        say "there is no valkey-tools in the package sources, nor in backports: testing with redis-tools, whose server speaks the same protocol"
        install_packages redis-tools
    fi
}

main() {
    [[ ${1:-} == run || ${1:-} == check ]] || die "usage: deps.sh run|check"
    command -v apt-get >/dev/null ||
        die "this is no Debian system; install the equivalents of these by hand: $(wanted "$1" | xargs)"
    local packages
    mapfile -t packages < <(missing "$1")
    [[ ${#packages[@]} -eq 0 ]] || install_packages "${packages[@]}"
    [[ $1 == check ]] || return 0
    install_valkey
    "$ROOT/scripts/fips-module.sh" >/dev/null || warn "without it the suite fips tests refusals only"
}

main "$@"
