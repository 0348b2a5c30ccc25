# shellcheck shell=bash
# Attacks on what the guards of the module stop and that no function can run. Sourced by run.sh.

attack_guard_sessions() {
    try "R2 WITH HOLD keeps rows for the next user of a pooled session" \
        gives "$(as_tenant protected "$TOKEN_ACME" "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM shop.accounts;")" 42501
    try "X6 X7 PREPARE TRANSACTION" gives "$(as_tenant protected "$TOKEN_ACME" "PREPARE TRANSACTION 'x';")" 42501
    try "X6 ROLLBACK PREPARED" gives "$(as_app -d attack_protected -v VERBOSITY=sqlstate -c "ROLLBACK PREPARED 'x'" 2>&1 | sed 's/.*ERROR:  //')" 42501
    try "X8 a statement timeout of its own does not lift the server's limit" limit_stands
    try "P16 P17 the owner breaks two tables" admin -d attack_protected -f "$HERE/guard_broken.sql"
    attack protected guard_floor >"$WORK/guard_floor.out" || true
    count_lines <"$WORK/guard_floor.out"
}

limit_stands() {
    admin -d postgres -c "ALTER ROLE attack_app SET tenancy.max_statement_time = '300ms'"
    gives "$(as_tenant protected "$TOKEN_ACME" "SET statement_timeout = 0; SELECT pg_sleep(5);")" 57014
    admin -d postgres -c "ALTER ROLE attack_app RESET tenancy.max_statement_time"
}
