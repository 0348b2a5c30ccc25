#!/usr/bin/env bash
# check.sh: the torture suite of `make check`: every scenario in its short form, and the two mutations
# without which the proof would prove nothing: a rebuild that returns 0, and a settle that does not wait
# for a rebuild, must both be found. The last line is "torture: N passed, N failed".
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
LOG=$(mktemp)
trap 'rm -f "$LOG"' EXIT

status=0
"$HERE/run.sh" short | tee "$LOG" || status=1
"$HERE/mutate.sh" rebuild_zero settle_creates | tee -a "$LOG" || status=1
# A part that ended before it counted itself has failed.
parts=$(grep -cE '^(torture|mutations): ' "$LOG" || true)
passed=$(grep -c '^ok - ' "$LOG" || true)
failed=$(($(grep -c '^not ok - ' "$LOG" || true) + 2 - parts))
((failed > 0 || status == 0)) || failed=1
printf 'torture: %d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
