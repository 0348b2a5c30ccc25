#!/usr/bin/env bash
# run.sh: tenancy.fips = required, in a cluster of its own: with a FIPS provider, the same vectors and unit tests
# as without one, and real tokens; without one, or with one that somebody has changed, not a single token.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
# shellcheck source=scripts/cluster.sh
source "$ROOT/scripts/cluster.sh"
# shellcheck source=test/run/suite.sh
source "$ROOT/test/run/suite.sh"
# shellcheck source=test/fips/accepted.sh
source "$ROOT/test/fips/accepted.sh"

ISSUER=https://dev.issuer.example
ISSUER_TOOL=$ROOT/test/tools/issuer.sh

sql() { psql -qXAt -v ON_ERROR_STOP=1 "$@"; }
verdict() { # verdict TOKEN: the tenant, or the message of the refusal
    psql -qXAt -c "SELECT tenancy.set_tenant_from_jwt('$1')" 2>&1 | sed -n '1s/^ERROR:  //;1p'
}
equals() { [[ $1 == "$2" ]] || { echo "got \"$1\", not \"$2\"" && return 1; }; }
says() { # says EXPECTED COMMAND...: the command's output is this
    local expected=$1
    shift
    equals "$("$@")" "$expected"
}
status_is() { says "$1" sql -c "SELECT fips, provider, self_test, problem IS NULL, ready FROM tenancy.crypto_status()"; }
findings() { sql -c "SELECT count(*) FROM tenancy.check_isolation() WHERE rule = 'fips_not_ready'"; }

# restart_with [LINES]: each backend makes its own proofs, none is another's.
restart_with() {
    CLUSTER_PORT=$PGPORT cluster_configure "fsync = off
tenancy.token_cache_size = 0
${1:-}"
    as_server "$(pg_bin)/pg_ctl" -D "$CLUSTER_DATA" -l "$CLUSTER_LOG" -w -m fast restart </dev/null >/dev/null 2>&1
}
required() { restart_with "tenancy.fips = required
tenancy.fips_config = '${1:-}'"; }

# config NAME [MODULE]: an OpenSSL configuration that activates the default provider, and MODULE if given.
config() {
    local file=$DIR/$1.cnf
    printf '%s\n' "openssl_conf = init" "[init]" "providers = providers" "[providers]" "default = default_sect" \
        ${2:+"fips = fips_sect"} "[default_sect]" "activate = 1" >"$file"
    [[ -z ${2:-} ]] || { cat "$DIR/installed" && echo "module = $2"; } >>"$file"
}

# install_module FILE. What fipsinstall notes is the same for every copy: the checksum of the module, and that its tests have passed.
install_module() {
    install -m 0644 "$1" "$DIR/fips.so"
    openssl fipsinstall -quiet -module "$DIR/fips.so" -out "$DIR/installed"
    config good "$DIR/fips.so"
    config absent "$DIR/absent.so"
    config wrong_mac "$DIR/fips.so"
    sed -i -E 's/^(module-mac = )..:../\100:00/' "$DIR/wrong_mac.cnf"
    cp "$DIR/fips.so" "$DIR/tampered.so"
    flip_byte "$DIR/tampered.so" $(($(stat -c %s "$DIR/fips.so") / 2))
    config tampered "$DIR/tampered.so"
}
flip_byte() {
    local old
    old=$(od -An -tu1 -j "$2" -N 1 "$1")
    # shellcheck disable=SC2059 # an octal escape
    printf "\\$(printf '%03o' $((old ^ 255)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

prepare() {
    sql -c "CREATE EXTENSION pg_tenancy" \
        -c "SELECT tenancy.add_issuer('$ISSUER', '{agents}', 'org_id')" \
        -c "SELECT count(*) FROM tenancy.load_jwks('$ISSUER', '$("$ISSUER_TOOL" jwks)')" \
        -c "SELECT tenancy.add_tenant('acme', '$ISSUER', 'acme')" >/dev/null
    ES256=$("$ISSUER_TOOL" token acme alice)
    RS256=$("$ISSUER_TOOL" rs256 acme alice)
    FORGED=$("$ISSUER_TOOL" forged tampered)
    config default_only
}

# The server runs, no token passes, the reason is counted, and whoever administers it is told why.
refused() {
    local token before after
    before=$(refusals)
    for token in "$ES256" "$RS256" "$FORGED"; do says "token rejected" verdict "$token"; done
    after=$(refusals)
    equals $((after - before)) 3
    status_is "required|||f|f"
    equals "$(findings)" 1
    says "A FIPS provider is required, and none is at work. (fips_unavailable)" why_no_keys
    equals "$(warnings)" $((WARNED + 1))
    grep -q "reason: fips_unavailable (A FIPS provider is required, and none is at work. SELECT problem FROM tenancy.crypto_status()" "$CLUSTER_LOG"
}
warnings() { grep -c "WARNING:  every token will be refused: OpenSSL's FIPS provider is not available" "$CLUSTER_LOG" || true; }
why_no_keys() {
    { sql -c "SELECT count(*) FROM tenancy.load_jwks('$ISSUER', '$("$ISSUER_TOOL" jwks)')" 2>&1 || true; } | sed -n 's/^DETAIL:  //p'
}
refusals() { sql -c "SELECT coalesce(max(count), 0) FROM tenancy.stat_tokens WHERE reason = 'fips_unavailable'"; }

# refused_after CLAIM COMMAND...: COMMAND restarts the server.
refused_after() {
    local claim=$1
    shift
    "$@"
    try "refused: $claim" refused
    WARNED=$(warnings)
}

refused_without_module() {
    refused_after "no configuration at all" required "$DIR/none.cnf"
    refused_after "a configuration that activates the default provider only" required "$DIR/default_only.cnf"
    OPENSSL_CONF=$DIR/default_only.cnf refused_after "the same in the server's environment" required
}

refused_with_module() {
    refused_after "no module where the configuration says" required "$DIR/absent.cnf"
    refused_after "a module with one byte changed" required "$DIR/tampered.cnf"
    refused_after "a module whose checksum is not the one of its installation" required "$DIR/wrong_mac.cnf"
}

inside_cluster() {
    local skipped='' module
    DIR=$(mktemp -d "${TMPDIR:-/tmp}/pg_tenancy-fips.XXXXXX")
    chmod 0711 "$DIR" # the server's user reads what is in it by name
    TENANCY_TEST_KEYS=$DIR/keys
    export TENANCY_TEST_KEYS
    trap 'rm -rf "$DIR"' EXIT
    WARNED=0
    prepare
    try "off: OpenSSL's default provider does the work" status_is "off|default||t|t"
    refused_without_module
    if module=$("$ROOT/scripts/fips-module.sh"); then
        install_module "$module"
        refused_with_module
        accepted_claims
    elif [[ -n ${REQUIRE_VECTORS:-} ]]; then
        try "a FIPS provider to test with" false
    else
        say "no FIPS provider: skipped what needs one. Set FIPS_MODULE to a fips.so of OpenSSL 3, such as the one in Debian 13's openssl-provider-fips"
        skipped=1
    fi
    restart_with
    try "off again: the same keys and tokens" says acme verdict "$ES256"
    try "no process of the server has crashed" crashless
    summary fips "$skipped"
}
crashless() { ! grep -E "terminated by signal|PANIC" "$CLUSTER_LOG"; }

if [[ ${1:-} == inside ]]; then inside_cluster; else "$ROOT/scripts/with-cluster.sh" "$ROOT/test/fips/run.sh" inside; fi
