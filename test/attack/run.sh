#!/usr/bin/env bash
# run.sh: the attack suite. Runs each family of attacks (*.sql here) as the application's role with a token of
# one tenant, in two databases: "protected", where every attack must be stopped, and "textbook", the same tables
# without our protection, where the attacks that leaks.txt lists must get through: a test that cannot fail proves
# nothing. Then the two worlds, each layer off, what takes more than one session, and sqlsmith. The last line is
# "attack: N passed, N failed".
#   run.sh long               the two worlds only, with ten times the queries
#   run.sh restored [whole]   on a dump of both databases that was restored into a new cluster
#   run.sh promoted [whole]   on a hot standby, and after it was promoted under load
# The last two are the families and what takes two sessions; "whole" is all of the suite.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
# shellcheck source=test/run/suite.sh
source "$ROOT/test/run/suite.sh"
# shellcheck source=scripts/cluster.sh
source "$ROOT/scripts/cluster.sh"
# shellcheck source=test/run/standby.sh
source "$ROOT/test/run/standby.sh"

HERE=$ROOT/test/attack
# shellcheck source=test/attack/sessions.sh
source "$HERE/sessions.sh"
# shellcheck source=test/attack/guard_sessions.sh
source "$HERE/guard_sessions.sh"
# shellcheck source=test/attack/two_worlds.sh
source "$HERE/two_worlds.sh"
# shellcheck source=test/attack/layers.sh
source "$HERE/layers.sh"
# shellcheck source=test/attack/sqlsmith.sh
source "$HERE/sqlsmith.sh"
# shellcheck source=test/attack/carried.sh
source "$HERE/carried.sh"
# shellcheck source=test/attack/restored.sh
source "$HERE/restored.sh"
# shellcheck source=test/attack/promoted.sh
source "$HERE/promoted.sh"

FAMILIES=(a_context n_names p_privileges q_evaluation s_statistics u_constraints x_sabotage)
LEAKS=("$HERE/leaks.txt")
STAGE= # said before a claim, where the families run more than once

admin() { psql -qXAt -v ON_ERROR_STOP=1 "$@"; }
as_app() { psql -qXAt -U attack_app "$@"; }
issuer() { "$ROOT/test/tools/issuer.sh" "$@"; }

make_tokens() {
    TOKEN_ACME=$(issuer token acme mallory)
    TOKEN_GLOBEX=$(issuer token globex carol)
    TOKENS=(-v "token_acme=$TOKEN_ACME" -v "token_globex=$TOKEN_GLOBEX" -v "token_expired=$(issuer forged expired)" -v "forged_token=$(issuer forged tampered)")
}

# make_world NAME: database attack_NAME.
make_world() {
    admin -c "CREATE DATABASE attack_$1"
    admin -d "attack_$1" -v world="$1" -v jwks="$(issuer jwks)" -f "$HERE/world.sql" >"$WORK/world.$1" 2>&1 ||
        { cat "$WORK/world.$1" && die "the world attack_$1 could not be made"; }
}

# attack WORLD FAMILY: its lines, "ok - ..." or "not ok - ..."; anything else that psql says counts as a failure.
attack() {
    as_app -d "attack_$1" "${TOKENS[@]}" -f "$HERE/$2.sql" 2>&1 | sed -E '/^(not )?ok - /!s/^/not ok - unexpected: /'
}

count_lines() {
    local line
    while IFS= read -r line; do
        case $line in
            ok\ -\ *) PASSED=$((PASSED + 1)) && echo "ok      $STAGE${line#ok - }" ;;
            *) FAILED=$((FAILED + 1)) && echo "FAILED  $STAGE${line#not ok - }" ;;
        esac
    done
}

# The rows of the catalogue that get through, by their ids.
leaking_rows() { sed -nE 's/^not ok - (([A-Z][0-9]+ )+).*/\1/p' | tr ' ' '\n' | sort -uV | sed '/^$/d'; }

textbook_leaks() {
    local family
    for family in "${FAMILIES[@]}"; do attack textbook "$family"; done >"$WORK/textbook.out"
    leaking_rows <"$WORK/textbook.out" >"$WORK/leaks"
    diff <(sed '/^#/d' "${LEAKS[@]}" | sort -uV) "$WORK/leaks"
}

# The view of the owner was made on purpose, for P1.
doctor_finds_nothing() {
    local found
    found=$(admin -d attack_protected -c "SELECT rule, severity, object FROM tenancy.check_isolation() WHERE severity <> 'info' AND object <> 'shop.rich'")
    [[ -z $found ]] || { echo "$found" && return 1; }
}

# The table of README.md has every row of the catalogue, each test that it names is there, and each rule.
table_is_true() {
    local id where file status=0
    (($(grep -c '^| [A-Z][0-9]* |' "$HERE/README.md") == 154)) || { echo "not 154 rows" && status=1; }
    while IFS='|' read -r _ id _ _ where _; do
        id=${id// /} file=${where%%;*} && file=${file# } && file=${file% }
        if [[ $file == *.sql || $file == *.sh ]]; then
            grep -qw "$id" "$HERE/$file" 2>/dev/null || grep -q . "$ROOT/$file" 2>/dev/null || { echo "$file has no attack $id" && status=1; }
        elif [[ $file =~ ^[a-z]+_[a-z_]+$ ]]; then
            grep -q "$file" "$ROOT"/sql/install/87-check-*.sql || { echo "no rule $file for $id" && status=1; }
        fi
    done < <(grep '^| [A-Z][0-9]* |' "$HERE/README.md")
    return "$status"
}

# Whether this build of the module has the guards that guard_*.sql are about.
has_guards() { [[ -n $(admin -c "SELECT current_setting('tenancy.guard', true)") ]]; }

start_work() {
    WORK=$(mktemp -d)
    trap 'standby_stop; rm -rf "$WORK"' EXIT
    trap 'exit 143' INT TERM HUP
    export TENANCY_TEST_KEYS=${TENANCY_TEST_KEYS:-$WORK/keys}
    make_tokens
    ! has_guards || { FAMILIES+=(guard_utility) && LEAKS+=("$HERE/guard_leaks.txt"); }
}

make_worlds() {
    start_work
    make_world protected
    make_world textbook
}

attack_families() {
    local family
    for family in "${FAMILIES[@]}"; do
        attack protected "$family" >"$WORK/$family.out" || true
        count_lines <"$WORK/$family.out"
        try "$STAGE$family had attacks to run" test -s "$WORK/$family.out"
    done
    try "${STAGE}without the protection exactly the rows of ${LEAKS[0]##*/} get through" textbook_leaks
}

# attack_world [whole]: in the cluster that libpq's environment names.
attack_world() {
    try "the doctor finds nothing in the protected world" doctor_finds_nothing
    attack_families
    [[ -z ${1:-} ]] || attack_two_worlds 1
    attack_sessions
    [[ -z ${1:-} ]] || attack_sqlsmith
    ! has_guards || attack_guard_sessions
}

inside_cluster() {
    make_worlds
    try "README.md tells of every row of the catalogue what is tested where" table_is_true
    attack_world whole
    summary attack
}

# The long form: the two worlds and the layers only, with ten times the values.
long_inside_cluster() {
    make_worlds
    attack_two_worlds 10
    summary attack
}

main() {
    local conf='autovacuum = off'
    case ${1:-} in
        inside) inside_cluster ;;
        inside-long) long_inside_cluster ;;
        inside-restored) attack_restored "${2:-}" ;;
        inside-copy) attack_copy "${2:-}" ;;
        inside-promoted) attack_promoted "${2:-}" ;;
        "" | long | restored | promoted)
            [[ ${1:-} != promoted ]] || conf+=$'\nmax_prepared_transactions = 4'
            CLUSTER_CONF=$conf "$ROOT/scripts/with-cluster.sh" "$HERE/run.sh" "inside${1:+-$1}" "${@:2}"
            ;;
        *) die "usage: run.sh [long | restored [whole] | promoted [whole]]" ;;
    esac
}

main "$@"
