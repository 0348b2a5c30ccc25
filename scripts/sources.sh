#!/usr/bin/env bash
# sources.sh [cpp]: the hand-written C++ files of this project, one a line; with `cpp` only the .cpp.
set -euo pipefail
cd "$(dirname "$0")/.."

main() {
    local names=(-name '*.cpp' -o -name '*.hpp') dir dirs=()
    [[ ${1:-} != cpp ]] || names=(-name '*.cpp')
    for dir in extension server test; do
        [[ ! -d $dir ]] || dirs+=("$dir")
    done
    find "${dirs[@]}" -name node_modules -prune -o -type f \( "${names[@]}" \) -print | LC_ALL=C sort
}

main "$@"
