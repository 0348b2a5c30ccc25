# shellcheck shell=bash
# tenancyd of the development environment: its configuration, start and stop. Source dev-state.sh first.

# process_has PID TEXT: that process lives and TEXT is one of its arguments. A pid file alone proves
# nothing: after a crash or a reboot the number may be another program's.
process_has() { [[ $1 =~ ^[0-9]+$ ]] && tr '\0' '\n' 2>/dev/null <"/proc/$1/cmdline" | grep -qxF -- "$2"; }

tenancyd_pid() {
    local pid
    pid=$(cat "$STATE/tenancyd.pid" 2>/dev/null) || return 1
    process_has "$pid" "$TENANCYD_CONFIG" || return 1
    echo "$pid"
}
tenancyd_runs() { tenancyd_pid >/dev/null; }
tenancyd_gone() { ! tenancyd_runs; }

tenancyd_ready() { curl -fsS -o /dev/null -m 2 "$TENANCYD_URL/readyz" 2>/dev/null; }

# The server runs from a copy, so that a build never touches the running file and the server's user
# needs no way into the checkout.
tenancyd_start() {
    install -m 0755 "$ROOT/build/tenancyd" "$STATE/bin/tenancyd"
    # shellcheck disable=SC2016
    (exec_as_server setsid bash -c 'exec "$1" serve --config "$2" >>"$3" 2>&1 </dev/null' \
        - "$STATE/bin/tenancyd" "$TENANCYD_CONFIG" "$TENANCYD_LOG") 9>&- &
    TENANCYD_CHILD=$!
    echo "$TENANCYD_CHILD" >"$STATE/tenancyd.pid"
    wait_until 20 tenancyd_answers_or_dies || true
    tenancyd_ready && return
    show_tail "$TENANCYD_LOG"
    die "tenancyd did not become ready at $TENANCYD_URL/readyz; its log is $TENANCYD_LOG"
}
tenancyd_answers_or_dies() { tenancyd_ready || ! kill -0 "$TENANCYD_CHILD" 2>/dev/null; }

tenancyd_stop() {
    local pid
    if pid=$(tenancyd_pid); then
        kill -TERM "$pid" 2>/dev/null || true
        if ! wait_until 15 tenancyd_gone; then
            warn "tenancyd (pid $pid) did not stop within 15 seconds; killing it"
            kill -KILL "$pid" 2>/dev/null || true
            wait_until 5 tenancyd_gone || die "tenancyd (pid $pid) cannot be stopped"
        fi
    fi
    rm -f "$STATE/tenancyd.pid"
}

# The configuration holds the application role's password: only the server's user (and root) reads it.
write_tenancyd_config() (
    umask 077
    cat >"$TENANCYD_CONFIG.new" <<END
# Written by make up and make run at every start: changes are lost. See server/tenancyd.example.yaml.
agent:
  name: dev-agent
model:
  provider: echo
server:
  host: 127.0.0.1
  port: $TENANCYD_PORT
  storage:
    backend: postgres
    database_url: postgresql://$DEV_APP:$(secret "$DEV_APP")@127.0.0.1:$CLUSTER_PORT/$DEV_DATABASE
    maintenance_url: postgresql://$DEV_MAINTENANCE:$(secret "$DEV_MAINTENANCE")@127.0.0.1:$CLUSTER_PORT/$DEV_DATABASE
END
    if is_root; then chown "$SERVER_OS_USER:" "$TENANCYD_CONFIG.new"; fi
    mv "$TENANCYD_CONFIG.new" "$TENANCYD_CONFIG"
)
