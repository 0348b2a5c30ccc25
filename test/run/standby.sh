# shellcheck shell=bash
# A streaming standby of the throw-away cluster, for the suites beside this. Source it after scripts/cluster.sh,
# in a command of scripts/with-cluster.sh, and call standby_stop at the end, whatever happened.

STANDBY=

# standby_start DIR: makes it in DIR/standby, with its socket in DIR/socket, and starts it.
standby_start() {
    chmod 0711 "$1" # the server's user passes through to the directories that it owns
    STANDBY=$1/standby STANDBY_SOCKET=$1/socket
    private_dir "$STANDBY"
    private_dir "$STANDBY_SOCKET"
    echo "local replication all trust" | as_server tee -a "$CLUSTER_DATA/pg_hba.conf" >/dev/null
    psql -qXAt -c "SELECT pg_reload_conf()" >/dev/null
    as_server "$(pg_bin)/pg_basebackup" -D "$STANDBY" -X stream -R -c fast --no-sync \
        -d "host=$CLUSTER_SOCKET port=$PGPORT user=postgres"
    STANDBY_PORT=$(free_port "$STANDBY" "$PGPORT")
    printf '%s\n' "port = $STANDBY_PORT" "unix_socket_directories = '$STANDBY_SOCKET'" |
        as_server tee -a "$STANDBY/pg_tenancy.conf" >/dev/null
    standby_ctl -l "$STANDBY/server.log" start
}

# standby_ctl OPTION...: pg_ctl, which waits. The server must not hold our pipes open.
standby_ctl() { as_server "$(pg_bin)/pg_ctl" -D "$STANDBY" -w "$@" </dev/null >/dev/null; }
standby_promote() { standby_ctl promote; }
standby_stop() { [[ -z $STANDBY ]] || standby_ctl -m immediate stop 2>/dev/null || true; }

# on_standby COMMAND...: with libpq's environment pointed at it.
on_standby() { PGHOST=$STANDBY_SOCKET PGPORT=$STANDBY_PORT "$@"; }

# replayed [SQL [psql options]]: runs it on the primary and waits until the standby has replayed it.
replayed() {
    local position
    psql -qXAt -v ON_ERROR_STOP=1 -c "${1:-SELECT}" "${@:2}" >/dev/null
    position=$(psql -qXAt -c "SELECT pg_current_wal_flush_lsn()")
    wait_until 20 has_replayed "$position"
}
has_replayed() { [[ $(on_standby psql -qXAt -c "SELECT pg_last_wal_replay_lsn() >= '$1'") == t ]]; }
