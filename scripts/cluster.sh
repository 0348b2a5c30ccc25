# shellcheck shell=bash
# One private PostgreSQL cluster, described by four variables that the caller sets:
#   CLUSTER_DATA    its data directory       CLUSTER_SOCKET  directory of its unix socket, mode 0700
#   CLUSTER_LOG     its server log           CLUSTER_PORT    its port, on the socket and on 127.0.0.1
# Nothing here looks at, or for, any other cluster of the machine. Source lib.sh first.

CLUSTER_PRELOAD=${CLUSTER_PRELOAD-pg_tenancy}
MAX_SOCKET_PATH=107 # bytes in sockaddr_un.sun_path, without the final NUL

socket_path_fits() {
    local path=$1/.s.PGSQL.65535
    ((${#path} <= MAX_SOCKET_PATH))
}

# private_dir PATH: PATH exists, belongs to the server's user and nobody else can enter it. Refuses
# what somebody else put there before us (PATH may be in /tmp).
private_dir() {
    local owner
    owner=$(server_user)
    if ! [[ -e $1 || -L $1 ]]; then
        if is_root; then install -d -m 0700 -o "$owner" -g "$owner" "$1"; else install -d -m 0700 "$1"; fi
    fi
    [[ -d $1 && ! -L $1 && $(stat -c '%U %a' "$1") == "$owner 700" ]] ||
        die "$1 must be a directory of OS user $owner with mode 0700, but it is not: remove it, or run as the user who made it"
}

# Our settings file is the last thing that is written, so a cluster without it is half made.
cluster_exists() { [[ -s $CLUSTER_DATA/pg_tenancy.conf ]]; }

# cluster_init [initdb options]: superuser role "postgres", UTF-8, checksums.
cluster_init() {
    local bin
    bin=$(pg_bin)
    as_server "$bin/initdb" -D "$CLUSTER_DATA" -U postgres -E UTF8 --locale=C.UTF-8 --data-checksums \
        --auth-local=trust --auth-host=scram-sha-256 "$@" >/dev/null ||
        die "initdb could not make a cluster in $CLUSTER_DATA"
    echo "include 'pg_tenancy.conf'" | as_server tee -a "$CLUSTER_DATA/postgresql.conf" >/dev/null
}

# cluster_configure [LINES]: what we set, written anew before every start; LINES come last and win.
# Who connects through the socket is trusted because only the server's OS user can enter its
# directory; everybody else comes over the loopback with a password.
cluster_configure() {
    as_server tee "$CLUSTER_DATA/pg_hba.conf" >/dev/null <<'END'
# type  database  user  address        method
local   all       all                  trust
host    all       all   127.0.0.1/32   scram-sha-256
END
    as_server tee "$CLUSTER_DATA/pg_tenancy.conf" >/dev/null <<END
listen_addresses = '127.0.0.1'
port = $CLUSTER_PORT
unix_socket_directories = '"${CLUSTER_SOCKET//\'/\'\'}"'
unix_socket_permissions = 0700
shared_preload_libraries = '$CLUSTER_PRELOAD'
password_encryption = 'scram-sha-256'
${1:-}
END
}

# The pid of the running postmaster of this data directory. Its pid file alone proves nothing: after a
# crash the number may be another program's. A postmaster's working directory is its data directory.
cluster_pid() {
    local pid cwd
    pid=$(head -n 1 "$CLUSTER_DATA/postmaster.pid" 2>/dev/null) || return 1
    [[ $pid =~ ^[0-9]+$ ]] || return 1
    cwd=$(readlink "/proc/$pid/cwd") || return 1
    [[ $cwd == "$(readlink -f "$CLUSTER_DATA")" && $(readlink "/proc/$pid/exe") == */postgres* ]] || return 1
    echo "$pid"
}
cluster_runs() { cluster_pid >/dev/null; }

# After a crash PostgreSQL clears away the lock files of a pid that no longer exists. One that exists
# again, as another program or as a zombie, stops it: then we do it, once nothing of the old server is
# left that could still write.
clear_stale_locks() {
    local pid
    pid=$(head -n 1 "$CLUSTER_DATA/postmaster.pid" 2>/dev/null) || return 0
    [[ -n $pid && -e /proc/$pid ]] || return 0
    wait_until 15 cluster_is_deserted ||
        die "processes of a crashed server still work in $CLUSTER_DATA: $(cluster_processes | xargs); wait, or end them"
    warn "removing the lock files of a server that is gone (pid $pid is another process now)"
    rm -f "$CLUSTER_DATA/postmaster.pid" "$CLUSTER_SOCKET"/.s.PGSQL.*
}

# Processes whose working directory is the data directory: its postmaster and backends.
cluster_processes() { processes_with cwd "$(readlink -f "$CLUSTER_DATA")"; }
cluster_is_deserted() { [[ -z $(cluster_processes) ]]; }

cluster_start() {
    local bin
    bin=$(pg_bin)
    cluster_runs || clear_stale_locks
    # The server outlives us and must not hold our locks and pipes open.
    as_server "$bin/pg_ctl" -D "$CLUSTER_DATA" -l "$CLUSTER_LOG" -w -t 60 start </dev/null >/dev/null 2>&1 9>&- && return
    show_tail "$CLUSTER_LOG"
    die "PostgreSQL did not start; its log is $CLUSTER_LOG"
}

cluster_stop() {
    local bin
    cluster_runs || return 0
    bin=$(pg_bin)
    as_server "$bin/pg_ctl" -D "$CLUSTER_DATA" -m fast -w -t 30 stop >/dev/null 2>&1 ||
        as_server "$bin/pg_ctl" -D "$CLUSTER_DATA" -m immediate -w -t 30 stop >/dev/null ||
        die "could not stop the PostgreSQL server with pid $(cluster_pid)"
}

# psql as the superuser through the socket: `cluster_psql DATABASE [psql options]`.
cluster_psql() {
    local bin
    bin=$(pg_bin)
    "$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$CLUSTER_SOCKET" -p "$CLUSTER_PORT" -U postgres -d "$@"
}
