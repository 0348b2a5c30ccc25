#!/usr/bin/env bash
# dashboard.sh: a real Prometheus reads the metrics of a running tenancyd, finds the alert rules good, and
# answers every query of the Grafana dashboard with data. Grafana itself is in no package of Debian and does
# not run here. Uses a prometheus that is installed, or unpacks Debian's package in build/prometheus.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
# shellcheck source=test/run/suite.sh
source "$ROOT/test/run/suite.sh"
cd "$ROOT"

DASHBOARD=docs/grafana-dashboard.json
RULES=docs/prometheus-alerts.yaml

if [[ -z ${CLUSTER_DATA:-} ]]; then exec scripts/with-cluster.sh "$PWD/test/run/dashboard.sh"; fi

# The programs' directory goes to BIN.
find_prometheus() {
    BIN=$(command -v promtool || true)
    BIN=${BIN%/*}
    [[ -z $BIN ]] || return 0
    BIN=$ROOT/build/prometheus/usr/bin
    [[ ! -x $BIN/promtool ]] || return 0
    mkdir -p build/prometheus
    (cd "$WORK" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download prometheus) || die "Debian's package prometheus cannot be had"
    dpkg-deb -x "$WORK"/prometheus_*.deb build/prometheus
}

sql() { psql -qXAt -v ON_ERROR_STOP=1 -o /dev/null "$@"; }

set_up_database() {
    sql -v jwks="$(test/tools/issuer.sh jwks)" <<'END'
CREATE EXTENSION pg_tenancy;
SELECT tenancy.add_issuer('https://dev.issuer.example', '{agents}', 'org_id');
SELECT * FROM tenancy.load_jwks('https://dev.issuer.example', :'jwks');
SELECT tenancy.add_tenant('acme', 'https://dev.issuer.example', 'acme');
CREATE ROLE dashboard_app LOGIN;
CREATE ROLE dashboard_maintenance LOGIN;
SELECT tenancy.grant_app('dashboard_app'), tenancy.grant_maintenance('dashboard_maintenance');
SELECT tenancy.set_price('parrot', 1, 1), tenancy.set_budget('acme', 'total', 100), tenancy.set_rate_limit('acme', 600, burst => 4);
END
}

start_server() {
    SERVER_PORT=$(free_port "$WORK-s") METRICS_PORT=$(free_port "$WORK-m" "$SERVER_PORT")
    local url="host=$PGHOST&port=$PGPORT"
    cat >"$WORK/tenancyd.yaml" <<END
model: {provider: echo, name: parrot}
server:
  port: $SERVER_PORT
  metrics: {enabled: true, port: $METRICS_PORT}
  storage: {database_url: "postgresql://dashboard_app@/postgres?$url", maintenance_url: "postgresql://dashboard_maintenance@/postgres?$url"}
END
    build/tenancyd serve --config "$WORK/tenancyd.yaml" 2>"$WORK/tenancyd.log" &
    PIDS+=($!)
    wait_until 15 curl -sf -o /dev/null "http://127.0.0.1:$SERVER_PORT/readyz"
}

# A scrape a second, so that rates are there soon.
start_prometheus() {
    PROMETHEUS=127.0.0.1:$(free_port "$WORK-p" "$METRICS_PORT")
    cat >"$WORK/prometheus.yaml" <<END
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: ["$ROOT/$RULES"]
scrape_configs:
  - {job_name: tenancyd, static_configs: [{targets: ["127.0.0.1:$METRICS_PORT"]}]}
END
    "$BIN/prometheus" --config.file="$WORK/prometheus.yaml" --storage.tsdb.path="$WORK/data" --web.listen-address="$PROMETHEUS" 2>"$WORK/prometheus.log" &
    PIDS+=($!)
    wait_until 15 curl -sf -o /dev/null "http://$PROMETHEUS/-/ready"
}

# Turns, a refusal by the rate and one by the server, again and again.
make_traffic() {
    local round token url=http://127.0.0.1:$SERVER_PORT
    token=$(test/tools/issuer.sh token acme alice)
    for round in {1..6}; do
        for _ in {1..8}; do
            curl -s -o /dev/null -H "Authorization: Bearer $token" -H 'Content-Type: application/json' "$url/v1/chat/completions" \
                -d "{\"messages\": [{\"role\": \"user\", \"content\": \"round $round\"}]}"
        done
        curl -s -o /dev/null "$url/v1/traces"
        sleep 1
    done
}

answers_with_data() { # answers_with_data EXPRESSION
    local expression=$1
    expression=${expression//\$__rate_interval/30s} expression=${expression//\$job/.*} expression=${expression//\$instance/.*}
    curl -s "http://$PROMETHEUS/api/v1/query" --data-urlencode "query=$expression" >"$WORK/answer"
    jq -e '.status == "success" and (.data.result | length > 0) and all(.data.result[]; .value[1] != "NaN")' "$WORK/answer" >/dev/null ||
        { cat "$WORK/answer" && return 1; }
}
rules_are_loaded() {
    curl -s "http://$PROMETHEUS/api/v1/rules" |
        jq -e --argjson rules "$(grep -c 'alert:' $RULES)" '[.data.groups[].rules[] | select(.health == "ok")] | length == $rules' >/dev/null
}
has_layout() { # what Grafana's import asks for, and panels that do not overlap
    jq -e '.title and .uid and .schemaVersion and ([.panels[].id] | length == (unique | length))
        and ([.panels[] | .gridPos | "\(.x) \(.y)"] | length == (unique | length)) and all(.panels[].gridPos; .x + .w <= 24)' $DASHBOARD >/dev/null
}

stop_all() {
    kill "${PIDS[@]}" 2>/dev/null || true
    wait
    rm -rf "$WORK"
}

main() {
    local title expression
    PIDS=()
    WORK=$(mktemp -d)
    trap stop_all EXIT
    find_prometheus
    set_up_database
    start_server
    start_prometheus
    make_traffic
    try "promtool finds the alert rules good" "$BIN/promtool" check rules $RULES
    try "Prometheus has loaded and evaluated them" wait_until 5 rules_are_loaded
    try "the dashboard has ids and places of its own for each panel" has_layout
    while IFS=$'\t' read -r title expression; do
        try "$title: $expression" answers_with_data "$expression"
    done < <(jq -r '.panels[] | .title as $title | .targets[]? | [$title, .expr] | join("\t")' $DASHBOARD)
    summary dashboard
}

main
