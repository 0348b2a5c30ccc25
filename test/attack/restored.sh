# shellcheck shell=bash
# The suite on a restored dump: both worlds of one cluster go through pg_dump into a new one, by the steps of
# docs/operations.md, and are attacked there. Sourced by run.sh.

WORLDS=(protected textbook)

# attack_restored [whole]: in the first cluster. The new one is the child's.
attack_restored() {
    make_worlds
    make_history
    dump_worlds
    DUMPS=$WORK CLUSTER_CONF='autovacuum = off' "$ROOT/scripts/with-cluster.sh" "$HERE/run.sh" inside-copy "${1:-}"
}

dump_worlds() {
    local world
    "$(pg_bin)/pg_dumpall" --roles-only >"$WORK/roles.sql"
    for world in "${WORLDS[@]}"; do
        "$(pg_bin)/pg_dump" -Fc -d "attack_$world" -f "$WORK/$world.dump"
    done
}

# --create brings what belongs to the database itself: privileges on it, and settings of roles in it.
restore_worlds() {
    local world
    grep -v 'ROLE postgres\b' "$DUMPS/roles.sql" | admin -d postgres
    for world in "${WORLDS[@]}"; do
        "$(pg_bin)/pg_restore" --create --exit-on-error -d postgres "$DUMPS/$world.dump"
        admin -d "attack_$world" -c ANALYZE
    done
}

left_to_harden() { admin -d attack_protected -c "SELECT statement FROM tenancy.harden() WHERE NOT done"; }
harden() { admin -d attack_protected -c "SELECT count(*) FROM tenancy.harden(dry_run => false)"; }
no_objection() {
    gives "$(admin -d attack_protected -c "SELECT r.role_name, o FROM tenancy.app_roles r, tenancy.app_role_objections(r.role_name) o")" ""
}

attack_copy() {
    start_work
    try "B4 a dump of both worlds is restored into a new cluster" restore_worlds
    try "all that a dump does not carry is USAGE on language sql" \
        gives "$(left_to_harden)" "REVOKE USAGE ON LANGUAGE sql FROM PUBLIC"
    try "harden() makes up for it" harden
    try "the application's role is still fit to be one" no_objection
    carried_claims
    attack_world "${1:-}"
    summary restored
}
