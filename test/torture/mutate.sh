#!/usr/bin/env bash
# mutate.sh [NAME...]: shows that run.sh can fail. Each mutation breaks one thing that rates and budgets
# rest on, in a copy of the tree that is installed into a copy of PostgreSQL; the scenario meant for it
# must then find it. Nothing outside a temporary directory is changed. Without a name all are run:
#   none            no mutation: the scenarios used here pass
#   rebuild_zero    a rebuilt counter starts at nothing instead of the rows
#   settle_creates  a settle makes a counter that is not there, instead of leaving it to a rebuild
#   abort_keeps     an aborted transaction does not give its hold back
#   settle_early    a settle counts at once instead of at commit
#   rebuild_shared  a rebuild does not wait for transactions between rows and counter
#   hold_unchecked  a hold is added without comparing with the limit
#   refusal_keeps   a limit that refuses leaves what other limits have held for the turn
#   rows_unasked    a counter without room in memory is an error, not a question to the rows
#   prepare_held    a transaction with a hold can be prepared
#   alert_alone     a charge looks for a crossing without those that commit at the same time
#   alert_early     a crossing is decided before those have committed
#   end_twice       a ticket settles as often as it is shown
#   sweep_living    the sweeper takes every instance for gone
#   sweep_unmetered what a killed server had metered is not charged
#   rate_unchecked  the rate limiter takes units whether there are any or not
#   debt_forgotten  a full table of subjects' rates makes room by forgetting who owes most
# The last line is "mutations: N found, N missed".
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"

ALL=(none rebuild_zero settle_creates abort_keeps settle_early rebuild_shared hold_unchecked
    refusal_keeps rows_unasked prepare_held alert_alone alert_early end_twice
    sweep_living sweep_unmetered rate_unchecked debt_forgotten)
HOLDS=sql/install/47-holds.sql

# replace FILE OLD NEW: OLD must be there, once, or the mutation would be none.
replace() {
    python3 - "$TREE/$1" "$2" "$3" <<'END'
import sys
path, old, new = sys.argv[1:]
text = open(path).read()
if text.count(old) != 1:
    sys.exit(f"mutate.sh: {path} has {text.count(old)} times: {old}")
open(path, "w").write(text.replace(old, new))
END
}

# mutate NAME: changes the copy and says which scenarios look at it.
mutate() {
    case $1 in
        none) SCENARIOS="race giving_up crossings server_killed few_slots" ;;
        rebuild_zero)
            replace $HOLDS 'r.used_money, r.used_tokens, r.spent_money, r.spent_tokens)' '0, 0, 0, 0)'
            SCENARIOS=server_killed ;;
        settle_creates)
            replace extension/pg/pending.cpp 'slot_add(entries[i].key, entries[i].used, entries[i].spent);' \
                '{ if (entries[i].spent.tokens != 0) slot_fill(entries[i].key, {0, 0}, {0, 0}); slot_add(entries[i].key, entries[i].used, entries[i].spent); }'
            SCENARIOS=server_killed ;;
        abort_keeps)
            replace extension/pg/pending.cpp 'roll_back_to(0);' ''
            SCENARIOS=giving_up ;;
        settle_early)
            replace extension/pg/pending.cpp 'append(key, {0, 0}, used, spent, thresholds);' \
                'slot_add(key, used, spent); append(key, {0, 0}, {0, 0}, {0, 0}, thresholds);'
            SCENARIOS=giving_up ;;
        rebuild_shared)
            replace $HOLDS 'lock_ledger(turn.tenant_id, true)' 'lock_ledger(turn.tenant_id, false)'
            SCENARIOS=few_slots ;;
        hold_unchecked)
            replace extension/pg/slots.cpp '(limit >= 0 && sum > limit)' '(limit >= 0 && false)'
            SCENARIOS=race ;;
        refusal_keeps)
            replace extension/pg/counter_functions.cpp 'pending_undo(mark);' ''
            SCENARIOS=giving_up ;;
        rows_unasked)
            replace $HOLDS 'RETURN tenancy.hold_by_rows(turn, money, tokens);' "RAISE EXCEPTION 'no room' USING ERRCODE = 'PT503';"
            SCENARIOS=few_slots ;;
        prepare_held)
            replace extension/pg/pending.cpp 'case XACT_EVENT_PRE_PREPARE:' 'case XACT_EVENT_PARALLEL_PRE_COMMIT:'
            SCENARIOS=giving_up ;;
        alert_alone)
            replace extension/pg/alerts.cpp 'crosses_any(view.spent, view.committing, charge.thresholds)' \
                'crosses_any(view.spent, charge.amount, charge.thresholds)'
            SCENARIOS=crossings ;;
        alert_early)
            replace extension/pg/alerts.cpp 'for (; view.committers > 1;' 'for (; false;'
            SCENARIOS=crossings ;;
        end_twice)
            replace sql/install/68-close-turn.sql "turn.status NOT IN ('open', 'expired')" "turn.status = 'never'"
            SCENARIOS=giving_up ;;
        sweep_living)
            replace extension/pg/ledger_lock.cpp 'return false;' 'return true;'
            SCENARIOS=giving_up ;;
        sweep_unmetered)
            replace sql/install/70-sweep.sql 'coalesce(turn.metered_output_tokens, 0)' 0
            replace sql/install/67-end-turn.sql 'coalesce(turn.metered_output_tokens, 0)' 0
            SCENARIOS=tenancyd_killed ;;
        rate_unchecked)
            replace extension/core/gcra.cpp '} else if (cost * limit.interval_ns > room) {' '} else if (cost < 0) {'
            SCENARIOS=race ;;
        debt_forgotten)
            replace extension/pg/flows.cpp 'now + static_cast<uint64>(owed_ns / count)' latest
            SCENARIOS=few_flows ;;
        *) die "there is no mutation $1" ;;
    esac
}

# The programs of PostgreSQL find their other files by their own place, so a copy is a server of its own.
copy_postgresql() {
    local bin share include
    bin=$(pg_bin)
    share=$("$bin/pg_config" --sharedir)
    include=$("$bin/pg_config" --includedir)
    mkdir -p "$COPY${bin%/*/bin}" "$COPY${share%/*}"
    cp -a "${bin%/bin}" "$COPY${bin%/*/bin}/"
    cp -aL "$share" "$COPY${share%/*}/"
    mkdir -p "$COPY${include%/*}"
    ln -s "$include" "$COPY$include"
    export PG_CONFIG=$COPY$bin/pg_config
    [[ $("$PG_CONFIG" --pkglibdir) == "$COPY"/* ]] || die "this PostgreSQL cannot be copied: its paths are fixed"
}

install_copy() {
    make --no-print-directory -C "$TREE" -f pgxs.mk -j2 install PG_CONFIG="$PG_CONFIG" >"$WORK/build.log" 2>&1 ||
        { show_tail "$WORK/build.log" 5 && die "the copy does not build"; }
}

# run_mutation NAME: succeeds when the suite says what it should.
run_mutation() {
    local status=0
    rm -rf "$TREE/extension" "$TREE/sql" "$TREE/pg_tenancy.so"
    cp -a "$WORK/clean/extension" "$WORK/clean/sql" "$TREE/"
    mutate "$1"
    install_copy
    # shellcheck disable=SC2086
    "$TREE/test/torture/run.sh" short $SCENARIOS >"$WORK/$1.out" 2>&1 || status=$?
    [[ $(tail -n 1 "$WORK/$1.out") == torture:* ]] || grep -q '^torture:' "$WORK/$1.out" || return 1
    if [[ $1 == none ]]; then ((status == 0)); else ((status != 0)) && grep -q '^not ok' "$WORK/$1.out"; fi
}

main() {
    local name found=0 missed=0
    WORK=$(mktemp -d "${TMPDIR:-/tmp}/mutate.XXXXXX")
    trap 'rm -rf "$WORK"' EXIT
    chmod 755 "$WORK"
    TREE=$WORK/tree COPY=$WORK/postgresql
    copy_postgresql
    mkdir -p "$TREE/build" "$WORK/clean"
    [[ ! -e $ROOT/build/tenancyd ]] || cp "$ROOT/build/tenancyd" "$TREE/build/"
    cp -a "$ROOT"/{extension,sql,scripts,test,pgxs.mk,Makefile} "$TREE/"
    rm -f "$TREE"/sql/pg_tenancy--*.sql
    install_copy
    cp -a "$TREE/extension" "$TREE/sql" "$WORK/clean/"
    [[ $# -gt 0 ]] || set -- "${ALL[@]}"
    for name in "$@"; do
        if run_mutation "$name"; then
            found=$((found + 1))
            echo "ok - $name: $(grep '^torture:' "$WORK/$name.out"); $(grep -m 1 '^not ok' "$WORK/$name.out" || echo 'as it should')"
        else
            missed=$((missed + 1))
            echo "not ok - $name: $(grep '^torture:' "$WORK/$name.out" || tail -n 3 "$WORK/$name.out")"
            grep '^not ok' "$WORK/$name.out" || true
        fi
    done
    printf 'mutations: %d found, %d missed\n' "$found" "$missed"
    ((missed == 0))
}

main "$@"
