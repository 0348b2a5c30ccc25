#!/usr/bin/env bash
# run.sh: what verification costs, measured in one run on one machine: the figures are ratios to
# `openssl speed` of the same operation. `make bench` runs it in a throw-away cluster.
set -euo pipefail
cd "$(dirname "$0")/../.."

TOKENS=400  # more than a backend's own cache holds, so that each one met again is not in it
ROUNDS=10
REPEATS=200000

if [[ -z ${CLUSTER_DATA:-} ]]; then
    exec scripts/with-cluster.sh "$0"
fi

sql() { psql -qXAt -v ON_ERROR_STOP=1 "$@"; }

# make_tokens KIND: table KIND(token) with TOKENS tokens, all different.
make_tokens() {
    sql -c "CREATE TABLE $1 (token text)"
    for ((i = 0; i < TOKENS; i++)); do
        test/tools/issuer.sh "$2" acme "subject$i"
        echo
    done | grep . | sql -c "COPY $1 FROM STDIN"
}

# microseconds STATEMENT COUNT: time per operation of a statement that does COUNT of them.
microseconds() {
    sql -c "BEGIN" -c "SELECT tenancy.set_tenant_from_jwt(token) FROM es256 LIMIT 1" \
        -c '\timing on' -c "$1" -c '\timing off' -c ROLLBACK |
        sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | awk -v n="$2" '{ printf "%.3f", $1 * 1000 / n }'
}

# cold TABLE: the same for tokens that no backend has verified. Each round begins with another policy,
# under which no proof made before counts.
cold() {
    local round statements=()
    for ((round = 0; round < ROUNDS; round++)); do
        statements+=(-c "SELECT tenancy.add_issuer('https://dev.issuer.example', '{agents}', 'org_id', leeway_seconds => $round)"
            -c "SELECT tenancy.set_tenant_from_jwt(token) FROM warm"
            -c '\timing on' -c "SELECT count(tenancy.set_tenant_from_jwt(token)) FROM $1" -c '\timing off')
    done
    sql "${statements[@]}" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' |
        awk -v n="$TOKENS" '{ sum += $1 } END { printf "%.3f", sum * 1000 / NR / n }'
}

# openssl_verify ALGORITHM: microseconds of one verification by openssl speed.
openssl_verify() {
    openssl speed -seconds 2 -mr "$1" 2>/dev/null |
        awk -F: '/^\+F[24]:/ { per_second = $NF } END { printf "%.3f", 1e6 / per_second }'
}

# garbage: what refusals cost in the core alone, beside the verification of a good token.
garbage() {
    local program
    program=build/bench/garbage
    mkdir -p "${program%/*}"
    g++ -O2 -std=c++20 -Iextension test/bench/garbage.cpp test/unit/signer.cpp extension/core/*.cpp -lcrypto -o "$program"
    "$program"
}

report() { printf '%-44s %9.3f us' "$1" "$2"; [[ $# -lt 3 ]] || awk -v a="$2" -v b="$3" 'BEGIN { printf "   %.2f x openssl speed (%.1f us)", a / b, b }'; echo; }

main() {
    TENANCY_TEST_KEYS=$(mktemp -d)
    export TENANCY_TEST_KEYS
    trap 'rm -rf "$TENANCY_TEST_KEYS"' EXIT
    sql -c "CREATE EXTENSION pg_tenancy" \
        -c "SELECT tenancy.add_issuer('https://dev.issuer.example', '{agents}', 'org_id')" \
        -c "SELECT count(*) FROM tenancy.load_jwks('https://dev.issuer.example', '$(test/tools/issuer.sh jwks)')" \
        -c "SELECT tenancy.add_tenant('acme', 'https://dev.issuer.example', 'acme')" >/dev/null
    echo "making 2 x $TOKENS tokens ..." >&2
    make_tokens es256 token
    make_tokens rs256 rs256
    sql -c "CREATE TABLE warm AS SELECT token FROM es256 LIMIT 0" -c "INSERT INTO warm VALUES ('$(test/tools/issuer.sh token acme warm)')"
    report "verify ES256, cold" "$(cold es256)" "$(openssl_verify ecdsap256)"
    report "verify RS256, cold" "$(cold rs256)" "$(openssl_verify rsa2048)"
    report "verified by another backend before" "$(microseconds \
        "SELECT count(tenancy.set_tenant_from_jwt(token)) FROM generate_series(1, $ROUNDS), es256" $((TOKENS * ROUNDS)))"
    report "set_tenant_from_jwt(), verdict cached" "$(microseconds \
        "SELECT count(tenancy.set_tenant_from_jwt(t.token)) FROM (SELECT token FROM es256 LIMIT 1) t, generate_series(1, $REPEATS)" $REPEATS)"
    report "current_tenant(), in one statement" "$(microseconds \
        "SELECT count(tenancy.current_tenant()) FROM generate_series(1, $REPEATS)" $REPEATS)"
    report "an empty loop, for comparison" "$(microseconds "SELECT count(n) FROM generate_series(1, $REPEATS) n" $REPEATS)"
    garbage
}

main
