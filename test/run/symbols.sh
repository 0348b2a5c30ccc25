#!/usr/bin/env bash
# symbols.sh: the built pg_tenancy.so shows exactly the symbols of extension/exports.txt and runs no
# code of ours when it is loaded.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
# shellcheck source=test/run/suite.sh
source "$ROOT/test/run/suite.sh"
cd "$ROOT"

SO=pg_tenancy.so

# Each exported symbol matches a pattern of the list, and each pattern matches a symbol.
exports_as_listed() {
    local symbol pattern status=0 symbols patterns
    mapfile -t symbols < <(nm -D --defined-only "$SO" | awk '{print $3}')
    mapfile -t patterns < <(awk '!/^#/ && NF {print $1}' extension/exports.txt)
    for symbol in "${symbols[@]}"; do
        matches_any "$symbol" "${patterns[@]}" || { echo "exported but not listed: $symbol" && status=1; }
    done
    for pattern in "${patterns[@]}"; do
        some_match "$pattern" "${symbols[@]}" || { echo "listed but not exported: $pattern" && status=1; }
    done
    return "$status"
}

matches_any() {
    local symbol=$1 pattern
    shift
    for pattern in "$@"; do
        # shellcheck disable=SC2053 # a pattern on purpose
        [[ $symbol != $pattern ]] || return 0
    done
    return 1
}
some_match() {
    local pattern=$1 symbol
    shift
    for symbol in "$@"; do
        # shellcheck disable=SC2053
        [[ $symbol != $pattern ]] || return 0
    done
    return 1
}

# One entry of 8 bytes is the compiler's own frame_dummy; a second would be a static constructor.
no_static_constructors() {
    local size
    size=$(readelf -SW "$SO" | awk '$0 ~ /\.init_array/ {sub(/^ *\[ *[0-9]+\] */, ""); print $5}')
    echo ".init_array has 0x$size bytes, 8 are the compiler's"
    [[ $((16#$size)) -eq 8 ]]
}

one_crypto_library() {
    local needed
    needed=$(readelf -dW "$SO" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p')
    ! grep -vE '^(libcrypto\.so\.3|libstdc\+\+\.so\.6|libgcc_s\.so\.1|libc\.so\.6|libm\.so\.6)$' <<<"$needed"
}

main() {
    try "exports are those of extension/exports.txt" exports_as_listed
    try "no static constructors" no_static_constructors
    try "needs only libcrypto and the language runtime" one_crypto_library
    summary symbols
}

main
