# shellcheck shell=bash
# One layer after another is switched off, in both worlds: the queries that it stands against then tell whether
# globex exists, and while it stands they do not, whatever was switched off before. Sourced by run.sh.

# layer CLAIM SETTING OFF QUERY...: SETTING is what is given away, in SQL of a superuser, so that this layer alone is
# between acme and the difference; OFF takes the layer away. They run in copies of the worlds (layer_worlds).
layer() {
    local claim=$1 setting=$2 off=$3
    shift 3
    printf '%s\n' "$@" >"$WORK/layer_queries"
    in_both_layers "$setting"
    try "layer $claim: alike while it stands" alike layer "$WORK/layer_queries" 0
    in_both_layers "$off"
    try "layer $claim: different without it" differ layer "$WORK/layer_queries"
}

# layer_worlds WORLD: new copies, of "protected" or of "sized" (two_worlds.sh).
layer_worlds() {
    local there
    for there in "" alone_; do
        admin -d postgres -c "SET client_min_messages = warning" -c "DROP DATABASE IF EXISTS attack_${there}layer"
        copy_world "$there$1" "${there}layer"
    done
}

in_both_layers() {
    [[ -n $1 ]] || return 0
    admin -d attack_alone_layer >/dev/null <<<"SET client_min_messages = warning; $1" &
    admin -d attack_layer >/dev/null <<<"SET client_min_messages = warning; $1"
    wait "$!"
}

# lift GUARDS: the SQL that lifts them for the application's role in the database it runs in.
lift() { echo "SELECT format('ALTER ROLE attack_app IN DATABASE %I SET tenancy.guard = %L', current_database(), '$1') \\gexec"; }

# give FUNCTION...: the SQL that undoes harden() for these.
give() { printf 'GRANT EXECUTE ON FUNCTION pg_catalog.%s TO attack_app; ' "$@"; }

no_wall() { echo "DROP POLICY tenant_wall ON shop.$1; "; }
wall() { echo "CREATE POLICY tenant_wall ON shop.$1 AS $2 USING (tenant_id = (SELECT tenancy.current_tenant())); "; }

# undone STATEMENT: a line for a statement that must leave nothing.
undone() { echo "BEGIN\\; $1\\; ROLLBACK"; }

attack_layers() {
    layer_worlds sized
    layers_of_plans
    layer_worlds protected
    layers_of_privileges
    layers_of_keys
    layers_of_policies # last: they break the wall itself
}

# CREATE INDEX counts the rows anew, so that it comes after what compares estimates.
layers_of_plans() {
    local read_rows="pg_stat_get_xact_tuples_returned"
    layer "explain_analyze" "$(lift explain)" "$(lift "explain, explain_analyze")" \
        "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT count(*) FROM shop.accounts TABLESAMPLE SYSTEM (100)"
    layer "statistics, values" "$(lift explain)" "$(lift "explain, statistics")" "EXPLAIN SELECT id FROM shop.accounts WHERE balance > 900000"
    layer "statistics, widths" "$(lift explain)" "$(lift "explain, statistics")" "EXPLAIN SELECT session_id FROM agent.sessions"
    layer "hidden indexes" "DROP INDEX shop.accounts_balance; CREATE INDEX accounts_note ON shop.accounts (note, balance); $(give "$read_rows(oid)")" "$(lift indexes)" \
        "$(undone "SELECT count(*) FROM shop.accounts WHERE note = 'CANARY-ceo' AND balance = 987654\\; SELECT $read_rows('shop.accounts_note'::regclass)")"
    layer "hidden extended statistics" "CREATE STATISTICS agent.often (mcv) ON rating, comment FROM agent.feedback; ANALYZE agent.feedback;
        UPDATE pg_class SET reltuples = 1000, relpages = 20, relallvisible = 0 WHERE oid = 'agent.feedback'::regclass;
        $(lift explain)" "$(lift "explain, indexes")" "EXPLAIN SELECT * FROM agent.feedback WHERE rating <> 1 OR comment <> 'CANARY'"
}

layers_of_privileges() {
    local read_rows="pg_stat_get_xact_tuples_returned"
    layer "explain" "" "$(lift explain)" "EXPLAIN SELECT count(*) FROM shop.accounts"
    layer "harden, counters of the transaction" "" "$(give "$read_rows(oid)")" \
        "$(undone "SELECT count(*) FROM shop.accounts TABLESAMPLE SYSTEM (100)\\; SELECT $read_rows('shop.accounts'::regclass)")"
    layer "harden, counters of the table" "" "$(give 'pg_stat_get_live_tuples(oid)') ANALYZE shop.accounts;" "SELECT pg_stat_get_live_tuples('shop.accounts'::regclass)"
    layer "harden, sizes" "" "$(give 'pg_relation_size(regclass, text)')" "SELECT pg_relation_size('shop.accounts', 'main')"
    layer "harden, addresses" "" "$(give 'currtid2(text, tid)')" "SELECT currtid2('shop.accounts', '(5,1)')"
    layer "harden, large objects" "SELECT format('ALTER LARGE OBJECT %s OWNER TO attack_app', oid) FROM pg_largeobject_metadata \\gexec" "$(give 'lo_get(oid)')" "SELECT lo_get(4242)"
    layer "privileges on the registry" "" "GRANT SELECT ON tenancy.tenants TO attack_app;" "SELECT count(*) FROM tenancy.tenants"
}

layers_of_keys() {
    layer "tenant in unique keys" "" "ALTER TABLE shop.accounts ADD UNIQUE (email);" "$(undone "INSERT INTO shop.accounts (id, email) VALUES (5001, 'ceo@globex.example')")" \
        "$(undone "INSERT INTO shop.accounts (id, email) VALUES (5001, 'ceo@globex.example') ON CONFLICT DO NOTHING RETURNING id")"
    layer "tenant in exclusion constraints" "" "ALTER TABLE shop.bookings ADD EXCLUDE USING gist (during WITH &&);" "$(undone "INSERT INTO shop.bookings (during) VALUES ('[150,151)')")"
    layer "tenant in foreign keys" "ALTER TABLE shop.accounts ADD UNIQUE (id);" \
        "ALTER TABLE shop.entries DROP CONSTRAINT entries_tenant_id_account_id_fkey, ADD FOREIGN KEY (account_id) REFERENCES shop.accounts (id);" \
        "$(undone "INSERT INTO shop.entries (id, account_id) VALUES (5, 777)")"
}

layers_of_policies() {
    local count="SELECT count(*) FROM shop.accounts"
    layer "WITH CHECK" "$(lift "floor, protection")" "ALTER POLICY tenant_wall ON shop.entries WITH CHECK (true);" "$(undone "INSERT INTO shop.entries (tenant_id, id) VALUES ('globex', 1001)")"
    layer "restrictive policy" "" "$(no_wall bookings) $(wall bookings PERMISSIVE)" "SELECT * FROM shop.bookings ORDER BY 1, 2"
    layer "tenant policy" "" "$(no_wall accounts)" "$count"
    layer "floor" "$(lift protection)" "$(lift "floor, protection")" "$count"
    layer "protection, FORCE" "$(wall accounts RESTRICTIVE) ALTER TABLE shop.accounts NO FORCE ROW LEVEL SECURITY; $(lift floor)" "$(lift protection)" "SELECT count(*) FROM shop.rich"
    layer "protection, row security" "ALTER TABLE shop.accounts DISABLE ROW LEVEL SECURITY; $(lift floor)" "$(lift protection)" "$count"
}
