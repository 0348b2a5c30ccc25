#!/usr/bin/env bash
# run.sh [floods SECONDS]: what tokens meet around the verifier, in a cluster of its own: floods, a hot
# standby and its promotion, a crash, the shared cache under load, the server log at its most talkative.
# With an argument the floods alone, SECONDS of each kind.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
# shellcheck source=scripts/cluster.sh
source "$ROOT/scripts/cluster.sh"
# shellcheck source=test/run/suite.sh
source "$ROOT/test/run/suite.sh"
# shellcheck source=test/run/standby.sh
source "$ROOT/test/run/standby.sh"
# shellcheck source=test/tokens/standby.sh
source "$ROOT/test/tokens/standby.sh"
# shellcheck source=test/tokens/silence.sh
source "$ROOT/test/tokens/silence.sh"
# shellcheck source=test/tokens/cache.sh
source "$ROOT/test/tokens/cache.sh"
# shellcheck source=test/tokens/floods.sh
source "$ROOT/test/tokens/floods.sh"

ISSUER=https://dev.issuer.example
ISSUER_TOOL=$ROOT/test/tools/issuer.sh

sql() { psql -qXAt -v ON_ERROR_STOP=1 "$@"; }

# verdict TOKEN [psql options]: the tenant, or the message of the refusal.
verdict() {
    local token=$1
    shift
    psql -qXAt "$@" -c "SELECT tenancy.set_tenant_from_jwt('$token')" 2>&1 | sed -n '1s/^ERROR:  //;1p'
}
equals() { [[ $1 == "$2" ]] || { echo "got \"$1\", not \"$2\"" && return 1; }; }
says() { # says EXPECTED COMMAND...: the command's output is this
    local expected=$1
    shift
    equals "$("$@")" "$expected"
}

prepare() {
    sql -c "CREATE EXTENSION pg_tenancy" \
        -c "SELECT tenancy.add_issuer('$ISSUER', '{agents}', 'org_id')" \
        -c "SELECT count(*) FROM tenancy.load_jwks('$ISSUER', '$("$ISSUER_TOOL" jwks)')" \
        -c "SELECT tenancy.add_tenant(t, '$ISSUER', t) FROM unnest('{acme,globex}'::text[]) t" >/dev/null
}

main() {
    if [[ -z ${CLUSTER_DATA:-} ]]; then
        CLUSTER_PRELOAD='pg_tenancy, pg_stat_statements, auto_explain' \
            CLUSTER_CONF="tenancy.token_cache_size = 8
pg_stat_statements.track = all
pg_stat_statements.track_utility = off" exec "$ROOT/scripts/with-cluster.sh" "$0" "$@"
    fi
    DIR=$(mktemp -d "${TMPDIR:-/tmp}/pg_tenancy-tokens.XXXXXX")
    TENANCY_TEST_KEYS=$DIR/keys
    export TENANCY_TEST_KEYS
    trap 'standby_stop; rm -rf "$DIR"' EXIT
    prepare
    flood_claims "${2:-0.3}"
    if [[ ${1:-} != floods ]]; then
        cache_claims
        silence_claims
        standby_claims
    fi
    summary tokens
}

main "$@"
