#!/usr/bin/env bash
# check-layers.sh: the rules that keep the rooms of this code apart, as searches over the source. Each
# rule names its own offenders as file:line.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=test/run/suite.sh
source "$ROOT/test/run/suite.sh"
cd "$ROOT"

MAX_LINES=400

# files PATTERN...: existing first-party files below the given folders, without what tools generate.
files() {
    local dir dirs=()
    for dir in "$@"; do [[ ! -e $dir ]] || dirs+=("$dir"); done
    ((${#dirs[@]})) || return 0
    find "${dirs[@]}" \( -name node_modules -o -name build -o -name corpus -o -name results \) -prune -o -type f \
        ! -name '*.o' ! -name '*.d' ! -name '*.list' ! -name 'package-lock.json' -print
}
first_party() {
    files extension server sql/install sql/updates scripts test docs .ci Makefile ./*.md |
        grep -v '^test/expected/'
}

rest_of_first_party() { first_party | grep -v '^scripts/check-layers.sh$'; }

# nowhere REGEX FILES-COMMAND...: fails, and lists the lines, when a listed file matches.
nowhere() {
    local regex=$1
    shift
    ! "$@" | xargs -r -d '\n' grep -HnE -- "$regex"
}

outside() { # outside FOLDER KEPT: files of FOLDER whose path does not match KEPT
    files "$1" | grep -vE "$2" || true
}

install_sql_code() { # the install script's lines without comments, as files that grep can name
    local file
    for file in sql/install/*.sql; do
        sed "s/--.*//" "$file" | grep -nEi "$1" | sed "s|^|$file:|"
    done
}
no_install_sql() { [[ -z $(install_sql_code "$1" | tee /dev/stderr) ]]; }

core_alone() {
    local file
    for file in extension/core/*.hpp extension/core/*.cpp; do
        [[ -e $file ]] || continue
        g++ -std=c++20 -fsyntax-only -w -Iextension -x c++ "$file" || return 1
    done
}

short_enough() {
    local found
    found=$(first_party | xargs -d '\n' wc -l | awk -v max="$MAX_LINES" '$1 > max && $2 != "total" {print $2 ": " $1 " lines"}')
    [[ -z $found ]] || { echo "$found" && return 1; }
}

ascii_only() { ! first_party | grep -vE '/vectors/|\.md$' | LC_ALL=C xargs -d '\n' grep -HnP '[^\x00-\x7F]'; }

expected_pairs() {
    local file name status=0
    for file in test/sql/*.sql test/specs/*.spec; do
        name=$(basename "${file%.*}")
        [[ ! -e $file || -e test/expected/$name.out ]] || { echo "$file has no expected output" && status=1; }
    done
    for file in test/expected/*.out; do
        name=$(basename "$file" .out)
        name=${name%%_[0-9]} # a variant of another version
        [[ ! -e $file || -e test/sql/$name.sql || -e test/specs/$name.spec ]] || { echo "$file belongs to no test" && status=1; }
    done
    return "$status"
}

# The zoo of test/sql/check_isolation.sql has something for each rule to find.
rules_documented() {
    local rule status=0
    while read -r rule; do
        grep -qF "\`$rule\`" docs/sql-reference.md || { echo "docs/sql-reference.md does not explain $rule" && status=1; }
    done < <(sed -nE 's/^ ([a-z_]+) +\| (critical|high|medium|low|info) .*/\1/p' test/expected/check_isolation.out | sort -u)
    return "$status"
}

main() {
    try "core knows no PostgreSQL" nowhere '# *include.*(postgres\.h|"pg/)|\b(ereport|elog|palloc)\b *\(' files extension/core
    try "core compiles with no PostgreSQL on the include path" core_alone
    try "postgres.h is included in pg/postgres.hpp only" nowhere '# *include.*postgres\.h"' outside extension '^extension/pg/postgres\.hpp$'
    try "PG_TRY is in pg/boundary.cpp only" nowhere '\bPG_TRY\b *\(' outside extension '^extension/pg/boundary\.cpp$'
    try "the extension has no regex, iostream or thread" nowhere 'std::(regex|j?thread|async|cout|cerr)\b|<(regex|iostream|thread)>' files extension
    try "httplib is seen by server/http_* only" nowhere '# *include.*httplib' outside server '^server/http_[a-z_]*\.[ch]pp$'
    try "libpq is seen by server/db only" nowhere '# *include.*libpq-fe' outside server '^server/db/'
    try "the install script says neither OR REPLACE nor IF NOT EXISTS" no_install_sql '\bOR +REPLACE\b|\bIF +NOT +EXISTS +[^( ]'
    try "no file has more than $MAX_LINES lines" short_enough
    try "all source text is ASCII" ascii_only
    try "no path of a developer's machine" nowhere '(^|[^A-Za-z0-9_.-])/(home|Users|work|root)/[A-Za-z0-9._-]+' first_party
    try "every regression test has its expected output and the other way round" expected_pairs
    try "every rule of check_isolation() is documented" rules_documented
    try "nothing is left to do" nowhere '\b(TODO|FIXME|XXX)\b' rest_of_first_party
    summary layers
}

main
