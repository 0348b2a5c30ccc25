# shellcheck shell=bash
# Single cases in which counters and rows could part ways.

scenario_edges() {
    reported_model
    budget_within_transaction
    limit_within_transaction
    row_by_hand
    extension_again
}

# A provider reports a dated name for the model; the budget of a model is that of the one admitted.
reported_model() {
    local turn
    tenant dated
    budget dated total 1.5 model
    turn=$(begin_turn dated | cut -d' ' -f2)
    as_app -c "SELECT agent.end_turn('$turn', '{\"status\": \"ok\", \"model\": \"m-2026-01-01\", \"message\": {\"role\": \"assistant\", \"content\": \"y\"},
        \"usage\": {\"prompt_tokens\": 5, \"completion_tokens\": 100}}')" >/dev/null
    check "edges: a charge under another model name stays in the budget of its turn (I4)" counters_equal_ledger
    restart fast
    check "edges: after a restart, too (I1)" equals "$(begin_turn dated)" "402 insufficient_quota"
}

# A budget comes into force between two turns of one transaction, which is then rolled back.
budget_within_transaction() {
    local begin
    tenant between
    begin="SELECT status FROM agent.begin_turn('$(token_of between)', '{\"model\": \"m\", \"max_tokens\": 100, \"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}');"
    open_session "BEGIN; $begin"
    budget between total 10
    printf '%s ROLLBACK;\n\\echo rolled back\n' "$begin" >&7
    wait_until 10 grep -q -e 'rolled back' -e ERROR "$TORTURE/session.out"
    close_session
    check "edges: a turn that was rolled back is in no counter that was built meanwhile (I4, I8)" counters_equal_ledger
}

# Several turns in one transaction count one by one.
limit_within_transaction() {
    tenant several
    budget several total 3
    begin_turn several >/dev/null
    check "edges: turns of one transaction are held one by one (I1)" equals "$(as_app -c "SELECT string_agg((r).status::text, ' ')
        FROM (SELECT agent.begin_turn('$(token_of several)', '{\"model\": \"m\", \"max_tokens\": 100, \"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}') AS r
              FROM generate_series(1, 4)) b")" "200 200 429 429"
    check "edges: counters equal the ledger (I4)" counters_equal_ledger
}

# A charge that an administrator adds by hand counts at once.
row_by_hand() {
    sql -c "INSERT INTO agent.usage (tenant_id, turn_id, admitted_at, cost_picodollars) VALUES ('several', 'by hand', now(), 50000000)"
    check "edges: a charge written by other means is in the counters (I4)" counters_equal_ledger
    sql -c "DELETE FROM agent.usage WHERE turn_id = 'by hand'"
}

# The extension is dropped and created again in the same database, where budgets get the same numbers.
extension_again() {
    local jwks
    jwks=$("$ROOT/test/tools/issuer.sh" jwks)
    sql -c "CREATE DATABASE again"
    sql -d again -v jwks="$jwks" -f "$ROOT/test/torture/checks.sql" >/dev/null
    export PGDATABASE=again
    tenant phoenix
    budget phoenix total 10
    end_turn "$(begin_turn phoenix | cut -d' ' -f2)" >/dev/null
    sql -c "DROP EXTENSION pg_tenancy CASCADE" -c "DROP SCHEMA torture CASCADE" 2>/dev/null
    sql -v jwks="$jwks" -f "$ROOT/test/torture/checks.sql" >/dev/null
    tenant phoenix
    budget phoenix total 10
    begin_turn phoenix >/dev/null
    check "edges: a dropped extension leaves no counter to the next one (I4)" counters_equal_ledger
    export PGDATABASE=postgres
    sql -c "DROP DATABASE again"
}
