#!/usr/bin/env bash
# run.sh: runs the README's tour as a reader would: every ```sh block, in order, in one shell; each line of
# the ```text block behind it must be part of what was printed. Leaves a development environment that was
# up as it was.
set -euo pipefail
cd "$(dirname "$0")/../.."

PASSED=0
FAILED=0

# blocks: the README as records, each a kind (sh or text), a newline and the block, ended by a NUL.
blocks() {
    awk '/^```(sh|text)$/ { kind = substr($0, 4); print kind; inside = 1; next }
         /^```$/ && inside { printf "%c", 0; inside = 0; next }
         inside' README.md
}

expect_lines() {
    local line
    while IFS= read -r line; do
        if grep -qF -- "$line" "$OUTPUT"; then
            PASSED=$((PASSED + 1))
        else
            FAILED=$((FAILED + 1))
            echo "not in the output: $line" >&2
            sed 's/^/    /' "$OUTPUT" >&2
        fi
    done <<<"$1"
}

OUTPUT=$(mktemp)
trap 'rm -f "$OUTPUT"' EXIT
was_up=false
[[ -s .run/tenancyd.pid ]] && kill -0 "$(cat .run/tenancyd.pid)" 2>/dev/null && was_up=true

while IFS= read -r -d '' -u 3 record; do
    kind=${record%%$'\n'*}
    block=${record#*$'\n'}
    if [[ $kind == text ]]; then
        expect_lines "$block"
        continue
    fi
    # In this shell, because the blocks share variables. psql reports errors that the reader is shown.
    set +e
    eval "$block" >"$OUTPUT" 2>&1
    set -e
    PASSED=$((PASSED + 1))
done 3< <(blocks)

! $was_up || make up >/dev/null
echo "readme: $PASSED passed, $FAILED failed"
[[ $FAILED -eq 0 && $PASSED -gt 20 ]]
