# shellcheck shell=bash disable=SC2034
# Shared by the scripts beside it: messages, paths, privileges, free ports. Source it; it starts nothing.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
PG_MAJOR=${PG_MAJOR:-15}
SERVER_OS_USER=postgres # runs the servers when we are root: PostgreSQL refuses to run as root
PORT_FIRST=20000        # below the kernel's ephemeral range, so no outgoing connection takes one of ours
PORT_COUNT=10000

say() { printf '%s\n' "$*"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
    warn "error: $*"
    exit 1
}

is_root() { [[ $EUID -eq 0 ]]; }

# The OS user that the servers run as.
server_user() { if is_root; then echo "$SERVER_OS_USER"; else id -un; fi; }

# Runs a command with root's rights: directly, or through sudo.
as_root() {
    if is_root; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root and there is no sudo: $* (run the same make target as root, or this command by hand)"
    fi
}

# Becomes the server's OS user and executes a command in place, so that the caller's $! is the
# server's own pid. Call it in a subshell. The directory is left because that user may not enter ours.
exec_as_server() {
    cd /
    if is_root; then
        exec setpriv --reuid "$SERVER_OS_USER" --regid "$SERVER_OS_USER" --init-groups -- "$@"
    fi
    exec "$@"
}
as_server() (exec_as_server "$@")

# A user's own PGHOST, PGUSER, PGOPTIONS ... must not steer what we do in our clusters.
forget_libpq_environment() {
    local name
    for name in "${!PG@}"; do
        [[ $name == PG_CONFIG || $name == PG_MAJOR ]] || unset "$name"
    done
}

debian_codename() { sed -n 's/^VERSION_CODENAME=//p' /etc/os-release; }

# The mirror that the packages of this Debian release come from.
debian_mirror() {
    # shellcheck disable=SC2016 # apt's own variable
    apt-get indextargets --format '$(REPO_URI)' "Codename: $(debian_codename)" "Component: main" | sed -n 1p
}

# Directory of the PostgreSQL programs.
pg_bin() {
    local config=${PG_CONFIG:-/usr/lib/postgresql/$PG_MAJOR/bin/pg_config}
    command -v "$config" >/dev/null ||
        die "no PostgreSQL $PG_MAJOR development files: $config is missing (make deps installs them)"
    "$config" --bindir
}

# Short, stable name of a path: 12 hexadecimal digits.
path_hash() { printf '%s' "$1" | sha256sum | cut -c1-12; }

# A refused connection means free; a listener that is too busy to answer has the port all the same.
port_is_free() {
    local status=0
    # shellcheck disable=SC2016
    timeout 1 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1"' - "$1" 2>/dev/null || status=$?
    ((status == 1))
}

# check_port VARIABLE NUMBER: dies unless the port that the user asked for can be had.
check_port() {
    if ! [[ $2 =~ ^[1-9][0-9]{0,4}$ && $2 -le 65535 ]]; then
        die "$1=$2 is not a port number (1..65535)"
    fi
    port_is_free "$2" ||
        die "port $2, asked for with $1=$2, is in use by another program (give another $1, or none to get a free one)"
}

# free_port SEED [TAKEN]: a free port, the same for the same seed when possible, never TAKEN.
free_port() {
    local start port step
    start=$((16#$(path_hash "$1" | cut -c1-7)))
    for ((step = 0; step < PORT_COUNT; step++)); do
        port=$((PORT_FIRST + (start + step) % PORT_COUNT))
        if [[ $port != "${2:-}" ]] && port_is_free "$port"; then
            echo "$port"
            return
        fi
    done
    die "no free port between $PORT_FIRST and $((PORT_FIRST + PORT_COUNT - 1))"
}

# processes_with cwd|exe PATH: pids whose working directory, or program, is PATH as /proc shows it.
processes_with() {
    { find /proc/[0-9]*/"$1" -maxdepth 0 -lname "$2" 2>/dev/null || true; } | cut -d/ -f3
}

# wait_until SECONDS COMMAND...: polls four times a second; fails when the time is over.
wait_until() {
    local tries=$(($1 * 4))
    shift
    while ! "$@"; do
        ((tries-- > 0)) || return 1
        sleep 0.25
    done
}

# show_tail FILE [LINES]: the end of a log, indented, on stderr.
show_tail() {
    [[ -s $1 ]] || return 0
    warn "the last lines of $1:"
    tail -n "${2:-20}" "$1" | sed 's/^/    /' >&2
}
