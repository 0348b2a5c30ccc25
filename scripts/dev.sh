#!/usr/bin/env bash
# dev.sh run|up|down|reset: the development environment of this checkout, under .run/.
#   run    build, start, print how to use it, stay until Ctrl-C, stop        up    the same in the background
#   down   stop what up or run started; the data stays                       reset down, then remove the data
# PORT= and PGPORT= ask for the ports of tenancyd and PostgreSQL.
set -euo pipefail
ASKED_PGPORT=${PGPORT:-} ASKED_PORT=${PORT:-}
[[ $ASKED_PGPORT != "${TENANCY_ENV_PGPORT:-}" ]] || ASKED_PGPORT= # of a .run/env that the shell sourced
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
for part in cluster dev-issuer dev-state dev-database dev-server dev-usage; do
    # shellcheck source=/dev/null
    source "$ROOT/scripts/$part.sh"
done

lock() {
    exec 9>"$STATE/lock"
    flock -w 90 9 || die "another make run, up or down is still at work in $ROOT"
}
unlock() { exec 9>&-; }

# make run holds a lock of its own for as long as it lives: the kernel gives it back, whatever happens.
foreground_pid() {
    [[ -e $STATE/run.lock ]] || return 1
    ! flock -n "$STATE/run.lock" true || return 1
    cat "$STATE/run.pid"
}
foreground_gone() { ! foreground_pid >/dev/null; }

prepare() {
    "$ROOT/scripts/deps.sh" run
    "$ROOT/scripts/build.sh"
    set_state_paths
    make_state_dirs
    lock
}

# True when everything is up and of this build. Otherwise whatever is left running is stopped, so that
# the caller starts from nothing: a half that survived a crash, or a server with older code.
already_up() {
    if ! cluster_runs && ! tenancyd_runs; then
        return 1
    elif ! cluster_runs || ! tenancyd_ready; then
        say "only a part of the environment still runs: starting it again"
    elif ! same_build; then
        foreground_gone || die "make run (pid $(foreground_pid)) still serves the build before this one: stop it with Ctrl-C, then start again"
        say "the build changed since the servers started: restarting them"
    else
        check_extension_sql
        [[ -z $ASKED_PORT || $ASKED_PORT == "$TENANCYD_PORT" ]] || warn "PORT=$ASKED_PORT has no effect before make down"
        [[ -z $ASKED_PGPORT || $ASKED_PGPORT == "$CLUSTER_PORT" ]] || warn "PGPORT=$ASKED_PGPORT has no effect before make down"
        return 0
    fi
    stop_all
    return 1
}

same_build() { [[ $(running_build) == "$(cat "$STATE/build" 2>/dev/null)" ]]; }
running_build() { cat "$ROOT/pg_tenancy.so" "$ROOT/build/tenancyd" | sha256sum | cut -d' ' -f1; }

start_all() {
    trap 'stop_all' EXIT
    stop_orphans
    choose_ports "$ASKED_PGPORT" "$ASKED_PORT"
    start_database
    write_pgpass
    setup_database
    write_tenancyd_config
    tenancyd_start
    running_build >"$STATE/build"
    write_env
    trap - EXIT
}

stop_all() {
    tenancyd_stop
    cluster_stop
}

# Servers of a checkout that was removed from here while they ran: no pid file leads to them any more.
stop_orphans() {
    local pids
    mapfile -t pids < <(processes_with exe "$STATE/bin/tenancyd (deleted)" && processes_with cwd "$CLUSTER_DATA (deleted)")
    [[ ${#pids[@]} -gt 0 ]] || return 0
    say "stopping servers of an earlier checkout whose files are gone: ${pids[*]}"
    kill -QUIT "${pids[@]}" 2>/dev/null || true
}

cmd_up() {
    prepare
    if already_up; then
        say "already up$(foreground_gone || printf ', in the foreground of pid %s' "$(foreground_pid)")"
    else
        start_all
    fi
    show_usage
}

cmd_run() {
    cmd_up
    foreground_gone || return 0
    exec 8>"$STATE/run.lock"
    flock -n 8
    echo "$$" >"$STATE/run.pid"
    trap 'finish 0' INT TERM HUP
    unlock
    say "Ctrl-C stops everything."
    while cluster_runs && tenancyd_runs; do
        sleep 1 8>&- &
        wait "$!" || true
    done
    warn "a server stopped by itself"
    show_tail "$TENANCYD_LOG"
    show_tail "$CLUSTER_LOG"
    finish 1
}

finish() {
    trap '' INT TERM HUP
    say "stopping"
    lock
    stop_all
    rm -f "$STATE/run.pid"
    exit "$1"
}

cmd_down() {
    local pid nothing="nothing is running"
    set_state_paths
    check_state_owner
    if [[ ! -d $STATE ]]; then
        say "nothing is running: there is no $STATE"
        return
    fi
    if pid=$(foreground_pid); then
        say "stopping make run (pid $pid)"
        kill -TERM "$pid"
        wait_until 60 foreground_gone || die "make run (pid $pid) does not stop"
        nothing="stopped; the data stays in $STATE"
    fi
    lock
    stop_orphans
    if cluster_runs || tenancyd_runs; then
        stop_all
        say "stopped; the data stays in $STATE"
    else
        stop_all
        say "$nothing"
    fi
}

cmd_reset() {
    cmd_down
    [[ -d $STATE ]] || return 0
    unlock
    rm -rf "$STATE" "$ROOT/.run"
    [[ $CLUSTER_SOCKET != /tmp/* ]] || rm -rf "$CLUSTER_SOCKET"
    say "removed $STATE"
}

main() {
    forget_libpq_environment
    case ${1:-} in
        run | up | down | reset) "cmd_$1" ;;
        *) die "usage: dev.sh run|up|down|reset" ;;
    esac
}

main "$@"
