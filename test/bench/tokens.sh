#!/usr/bin/env bash
# tokens.sh: what verification costs, measured in one run on one machine: the figures are ratios to
# `openssl speed` of the same operation. All of them are processor time, taken in turn and as medians, so
# that other load on the machine matters little. `make bench-tokens` runs it in a throw-away cluster.
set -euo pipefail
cd "$(dirname "$0")/../.."

TOKENS=250  # more than a backend's own cache holds, so that each one met again is not in it
ROUNDS=5
REPEATS=100000

if [[ -z ${CLUSTER_DATA:-} ]]; then
    exec scripts/with-cluster.sh "$0"
fi

sql() { psql -qXAt -v ON_ERROR_STOP=1 "$@"; }

# make_tokens TABLE KIND: table TABLE(token) with TOKENS tokens, all different.
make_tokens() {
    sql -c "CREATE TABLE $1 (token text)"
    for ((i = 0; i < TOKENS; i++)); do
        test/tools/issuer.sh "$2" acme "subject$i"
        echo
    done | grep . | sql -c "COPY $1 FROM STDIN"
}

# spent(statement, empty, count): microseconds of this backend's processor time per operation of a statement
# that does count of them, less what an empty statement like it costs. The kernel brings its figure up to date when a process sleeps.
make_stopwatch() {
    sql <<'SQL'
CREATE FUNCTION processor_us() RETURNS numeric LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(0.001);
    RETURN split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::numeric / 1000;
END $$;
CREATE FUNCTION spent(statement text, empty text, count int) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    times numeric[] := '{}';
BEGIN
    EXECUTE empty;
    times := times || processor_us();
    EXECUTE empty;
    times := times || processor_us();
    EXECUTE statement;
    times := times || processor_us();
    RETURN round((times[3] - 2 * times[2] + times[1]) / count, 3);
END $$;
SQL
}

# cold TABLE POLICY: per token that no backend has verified. Each round has another policy, under which no
# proof made before counts; the keys are loaded before the clock runs.
cold() {
    sql -c "SELECT tenancy.add_issuer('https://dev.issuer.example', '{agents}', 'org_id', leeway_seconds => $2)" \
        -c "SELECT tenancy.set_tenant_from_jwt(token) FROM warm" \
        -c "SELECT spent('SELECT count(tenancy.set_tenant_from_jwt(token)) FROM $1', 'SELECT count(length(token)) FROM $1', $TOKENS)" | tail -n 1
}

# again STATEMENT COUNT EMPTY: per call in one statement, in a transaction that has a tenant.
again() {
    sql -c "BEGIN" -c "SELECT tenancy.set_tenant_from_jwt(token) FROM es256 LIMIT 1" -c "SELECT spent('$1', '$3', $2)" -c "ROLLBACK" | tail -n 1
}

# openssl_verify ALGORITHM: microseconds of one verification by openssl speed, which counts user time.
openssl_verify() {
    openssl speed -seconds 1 -mr "$1" 2>/dev/null |
        awk -F: '/^\+F[24]:/ { per_second = $NF } END { printf "%.3f", 1e6 / per_second }'
}

median() { sort -g | awk '{ x[NR] = $1 } END { printf "%.3f", x[int((NR + 1) / 2)] }'; }

# against TITLE TABLE ALGORITHM GOAL: ours and openssl's in turn.
against() {
    local round ours theirs all=""
    for ((round = 0; round < ROUNDS; round++)); do
        theirs=$(openssl_verify "$3")
        POLICY=$((POLICY + 1))
        ours=$(cold "$2" "$POLICY")
        all+="$ours $theirs"$'\n'
    done
    printf '%-44s %9.3f us   %.2f x openssl speed, %.1f us   (goal %s)\n' "$1" \
        "$(cut -d' ' -f1 <<<"$all" | grep . | median)" "$(awk 'NF { print $1 / $2 }' <<<"$all" | median)" \
        "$(cut -d' ' -f2 <<<"$all" | grep . | median)" "$4"
}

# repeat TITLE STATEMENT COUNT EMPTY [GOAL]
repeat() {
    local round
    printf '%-44s %9.3f us   %s\n' "$1" "$(for ((round = 0; round < ROUNDS; round++)); do again "$2" "$3" "$4"; done | median)" "${5:-}"
}

# garbage: what refusals cost in the core alone, beside the verification of a good token.
garbage() {
    local program
    program=build/bench/garbage
    mkdir -p "${program%/*}"
    g++ -O2 -std=c++20 -Iextension test/bench/garbage.cpp test/unit/signer.cpp extension/core/*.cpp -lcrypto -o "$program"
    "$program"
}

main() {
    POLICY=0
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
    make_stopwatch
    sql -c "CREATE TABLE warm AS SELECT token FROM es256 LIMIT 0" -c "INSERT INTO warm VALUES ('$(test/tools/issuer.sh token acme warm)')"
    against "verify ES256, cold" es256 ecdsap256 "1.25 x"
    against "verify RS256, cold" rs256 rsa2048 "1.9 x"
    repeat "verified by another backend before" "SELECT count(tenancy.set_tenant_from_jwt(token)) FROM generate_series(1, 20), es256" $((20 * TOKENS)) "SELECT count(length(token)) FROM generate_series(1, 20), es256"
    repeat "set_tenant_from_jwt(), verdict cached" \
        "SELECT count(tenancy.set_tenant_from_jwt(t.token)) FROM (SELECT token FROM es256 LIMIT 1) t, generate_series(1, $REPEATS)" $REPEATS "SELECT 1" "(goal 2 us)"
    repeat "current_tenant(), in one statement" "SELECT count(tenancy.current_tenant()) FROM generate_series(1, $REPEATS)" $REPEATS "SELECT 1" "(goal 2 us)"
    repeat "an empty loop, for comparison" "SELECT count(n) FROM generate_series(1, $REPEATS) n" $REPEATS "SELECT 1"
    garbage
}

main
