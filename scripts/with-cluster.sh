#!/usr/bin/env bash
# with-cluster.sh COMMAND...: runs COMMAND with a throw-away PostgreSQL cluster that has pg_tenancy
# preloaded (make install comes first), then removes it. COMMAND finds it through PGHOST, PGPORT,
# PGUSER (superuser) and PGDATABASE; CLUSTER_DATA, CLUSTER_LOG and CLUSTER_OS_USER are there for tests
# that crash or restart it. CLUSTER_CONF holds extra lines for its postgresql.conf.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/cluster.sh
source "$ROOT/scripts/cluster.sh"

cleanup() {
    local status=$?
    trap '' INT TERM HUP
    trap - EXIT
    if [[ $status -ne 0 ]]; then
        show_tail "$CLUSTER_LOG"
        keep_log
    fi
    [[ -z $COMMAND_PID ]] || kill "$COMMAND_PID" 2>/dev/null || true
    cluster_stop || status=1
    rm -rf "$WORK"
    exit "$status"
}

# The cluster goes, its log stays when something failed.
keep_log() {
    local kept=$ROOT/build/check/cluster-$$.log
    mkdir -p "${kept%/*}" && cp "$CLUSTER_LOG" "$kept" 2>/dev/null && warn "the whole server log: $kept"
}

main() {
    [[ $# -gt 0 ]] || die "usage: with-cluster.sh COMMAND [ARGUMENT...]"
    forget_libpq_environment
    COMMAND_PID=
    local temp=${TMPDIR:-/tmp}
    as_server test -x "$temp" || temp=/tmp # root's own TMPDIR may be closed to the server's user
    WORK=$(mktemp -d "$temp/pg_tenancy.XXXXXX")
    CLUSTER_DATA=$WORK/data CLUSTER_SOCKET=$WORK/socket CLUSTER_LOG=$WORK/postgresql.log
    trap cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    if is_root; then chown "$SERVER_OS_USER:" "$WORK"; fi
    socket_path_fits "$CLUSTER_SOCKET" || die "TMPDIR=$temp is too long a path for a unix socket; set a shorter one"
    private_dir "$CLUSTER_SOCKET"
    CLUSTER_PORT=$(free_port "$WORK")
    cluster_init --no-sync
    cluster_configure "fsync = off
${CLUSTER_CONF:-}"
    cluster_start
    export PGHOST=$CLUSTER_SOCKET PGPORT=$CLUSTER_PORT PGUSER=postgres PGDATABASE=postgres
    export CLUSTER_DATA CLUSTER_LOG CLUSTER_SOCKET CLUSTER_OS_USER
    CLUSTER_OS_USER=$(server_user)
    # In the background, so that a signal reaches the traps while COMMAND runs.
    "$@" <&0 &
    COMMAND_PID=$!
    wait "$COMMAND_PID"
}

main "$@"
