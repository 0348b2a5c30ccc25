#!/usr/bin/env bash
# lint.sh: formatting, clang-tidy, cppcheck and shellcheck over every hand-written file.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
# shellcheck source=test/run/suite.sh
source "$ROOT/test/run/suite.sh"
cd "$ROOT"

JOBS=2

# Everything that decides a file's findings besides the file itself.
tidy_all() {
    mkdir -p build/check/tidy
    { cat .clang-tidy test/run/tidy.sh && scripts/sources.sh | grep '\.hpp$' | xargs cat; } >build/check/tidy/common
    scripts/sources.sh cpp | xargs -P "$JOBS" -n 1 test/run/tidy.sh | tee build/check/tidy.log
}

formatted() { scripts/sources.sh | xargs clang-format-14 --dry-run -Werror; }

cpp_checked() {
    scripts/sources.sh cpp | xargs cppcheck --quiet --std=c++20 --library=googletest --enable=warning,performance,portability \
        --inline-suppr --suppress=missingInclude --suppress=missingIncludeSystem \
        --error-exitcode=1 -j "$JOBS" -I extension -I server
}

shell_files() { find scripts test .ci -name node_modules -prune -o \( -name '*.sh' -o -path .ci/run \) -print; }
shell_checked() { shell_files | xargs shellcheck -x; }

main() {
    try "clang-format" formatted
    try "shellcheck" shell_checked
    try "cppcheck" cpp_checked
    try "clang-tidy" tidy_all
    summary lint
}

main
