# shellcheck shell=bash disable=SC2034
# Where the development environment keeps its things, and the small files that describe it.
# Source lib.sh and cluster.sh first; set_state_paths fills the variables.
#
#   .run/env          what a shell sources             .run/data       the cluster        (server's user)
#   .run/pgpass       passwords for the loopback       .run/socket     its socket, 0700   (server's user)
#   .run/issuer/      the development signing key      .run/log        logs               (server's user)
#   .run/secrets/     the generated passwords          .run/bin        the running tenancyd
#   .run/ports        ports, used again next time      .run/*.pid      what we started

DEV_DATABASE=agents
DEV_ADMIN=postgres
DEV_APP=agent_app
DEV_MAINTENANCE=agent_maintenance

# The directory behind .run. Root's servers run as another user; where that user cannot reach the
# checkout (under /root, say) the directory lives in /var/lib and .run is a link to it.
state_dir() {
    if is_root && id -u "$SERVER_OS_USER" >/dev/null 2>&1 && ! as_server test -x "$ROOT/scripts"; then
        echo "/var/lib/pg_tenancy/$(path_hash "$ROOT")"
    else
        echo "$ROOT/.run"
    fi
}

set_state_paths() {
    STATE=$(state_dir)
    CLUSTER_DATA=$STATE/data
    CLUSTER_LOG=$STATE/log/postgresql.log
    CLUSTER_SOCKET=$STATE/socket
    # One process per user may use the short name: private_dir checks owner and mode.
    socket_path_fits "$CLUSTER_SOCKET" || CLUSTER_SOCKET=/tmp/pg_tenancy-$(id -u)-$(path_hash "$ROOT")
    CLUSTER_PORT=$(remembered_port PGPORT)
    TENANCYD_PORT=$(remembered_port PORT)
    TENANCYD_CONFIG=$STATE/tenancyd.yaml
    TENANCYD_LOG=$STATE/log/tenancyd.log
    TENANCYD_URL=http://127.0.0.1:$TENANCYD_PORT
}

remembered_port() { sed -n "s/^$1=//p" "$STATE/ports" 2>/dev/null || true; }

# What one user started is not another's to run or stop.
check_state_owner() {
    local path
    for path in "$STATE" "$ROOT/.run"; do
        [[ ! -e $path || $(stat -Lc %u "$path") == "$EUID" ]] ||
            die "$path belongs to $(stat -Lc %U "$path"): run make as that user, or remove it"
    done
    [[ -w $ROOT ]] || die "$(id -un) may not write in $ROOT, where .run has to be"
}

make_state_dirs() {
    local owner dir
    owner=$(server_user)
    check_state_owner
    (umask 022 && mkdir -p "$STATE")
    link_state
    for dir in data log bin; do
        [[ -d $STATE/$dir ]] || install -d -m 0700 "$STATE/$dir"
        if is_root; then chown "$owner:" "$STATE/$dir"; fi
    done
    private_dir "$CLUSTER_SOCKET"
}

link_state() {
    [[ $STATE != "$ROOT/.run" ]] || return 0
    [[ $(readlink "$ROOT/.run" 2>/dev/null) != "$STATE" ]] || return 0
    [[ -L $ROOT/.run || ! -e $ROOT/.run ]] ||
        die "$ROOT/.run is in the way: $SERVER_OS_USER cannot enter $ROOT, so .run must become a link to $STATE. Move it away."
    ln -sfn "$STATE" "$ROOT/.run"
    say "OS user $SERVER_OS_USER cannot enter $ROOT: the cluster is in $STATE, and .run is a link to it."
    ! cluster_exists || say "It holds the data of an earlier checkout at this path; make reset would remove it."
}

# secret NAME: a generated password, the same for the life of the state directory.
secret() (
    umask 077
    mkdir -p "$STATE/secrets"
    [[ -s $STATE/secrets/$1 ]] || openssl rand -hex 24 >"$STATE/secrets/$1"
    cat "$STATE/secrets/$1"
)

# pick_port VARIABLE ASKED REMEMBERED TAKEN
pick_port() {
    if [[ -n $2 ]]; then
        check_port "$1" "$2"
        echo "$2"
    elif [[ -n $3 && $3 != "$4" ]] && port_is_free "$3"; then
        echo "$3"
    else
        [[ -z $3 ]] || warn "$1: port $3 of last time is taken, using another"
        free_port "$ROOT $1" "$4"
    fi
}

# choose_ports PGPORT PORT: the ports that were asked for, or empty ones.
choose_ports() {
    [[ -z $1 || $1 != "$2" ]] || die "PGPORT and PORT are both $1; they must differ"
    CLUSTER_PORT=$(pick_port PGPORT "$1" "$CLUSTER_PORT" "$2")
    TENANCYD_PORT=$(pick_port PORT "$2" "$TENANCYD_PORT" "$CLUSTER_PORT")
    TENANCYD_URL=http://127.0.0.1:$TENANCYD_PORT
    printf 'PGPORT=%s\nPORT=%s\n' "$CLUSTER_PORT" "$TENANCYD_PORT" >"$STATE/ports"
}

write_pgpass() (
    umask 077
    local role
    for role in "$DEV_ADMIN" "$DEV_APP"; do
        printf '127.0.0.1:%s:*:%s:%s\n' "$CLUSTER_PORT" "$role" "$(secret "$role")"
        printf 'localhost:%s:*:%s:%s\n' "$CLUSTER_PORT" "$role" "$(secret "$role")"
    done >"$STATE/pgpass"
)

# TENANCY_ENV_PGPORT lets make up tell a PGPORT that came from here from one that somebody asked for.
write_env() {
    local name
    {
        echo "# Written by make up and make run; source it: . .run/env"
        for name in PGHOST="$CLUSTER_SOCKET" PGPORT="$CLUSTER_PORT" PGDATABASE="$DEV_DATABASE" \
            PGPASSFILE="$STATE/pgpass" TENANCY_ADMIN_USER="$DEV_ADMIN" TENANCY_APP_USER="$DEV_APP" \
            TENANCYD_URL="$TENANCYD_URL" TENANCY_ENV_PGPORT="$CLUSTER_PORT"; do
            printf "export %s='%s'\n" "${name%%=*}" "${name#*=}"
        done
    } >"$STATE/env"
}
