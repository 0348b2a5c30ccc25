#include "serve.hpp"

#include <csignal>
#include <sys/resource.h>

#include "alerts.hpp"
#include "http_server.hpp"
#include "log.hpp"
#include "metrics_listener.hpp"
#include "orphans.hpp"
#include "pipeline.hpp"
#include "random_id.hpp"
#include "reload.hpp"

namespace tenancy::server {

namespace {

// The HTTP library's client waits with select(), which writes outside its set for descriptors of
// 1024 and more. With this limit the kernel never hands one out.
void keep_descriptors_small() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > FD_SETSIZE) {
        limit.rlim_cur = FD_SETSIZE;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

// Blocked in this thread and so in every thread it starts: only sigwait() gets them.
sigset_t block_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    (void)std::signal(SIGPIPE, SIG_IGN);
    return signals;
}

void add_gauges(Metrics &metrics, const HttpServer &server, const db::Database &database,
                const Slots &turns) {
    metrics.add_gauge("tenancyd_busy_threads", [&server] { return server.busy_threads(); });
    metrics.add_gauge("tenancyd_waiting_connections",
                      [&server] { return server.waiting_connections(); });
    metrics.add_gauge("tenancyd_database_connections_in_use",
                      [&database] { return database.connections_in_use(); });
    metrics.add_gauge("tenancyd_database_waiting", [&database] { return database.waiting(); });
    metrics.add_gauge("tenancyd_turns_running", [&turns] { return turns.taken(); });
}

void add_hold_gauges(Metrics &metrics, const std::optional<Orphans> &orphans) {
    if (!orphans)
        return;
    metrics.add_gauge("tenancyd_open_holds", [&orphans] { return orphans->open_holds(); });
    metrics.add_gauge("tenancyd_held_picodollars",
                      [&orphans] { return orphans->held_picodollars(); });
}

void log_listening(const Config &config, const std::string &instance_id) {
    log_event(LogLevel::info, "listening",
              {log_text("host", config.host),
               log_text("tls", config.tls.certificate_file.empty() ? "off" : "on"),
               log_number("port", static_cast<long long>(config.port)),
               log_text("model", config.model.name), log_text("instance_id", instance_id)});
}

// An instance that holds no lock to show that it is alive has no name: it would be taken for gone.
std::string instance_id(const StorageConfig &storage) {
    return storage.maintenance_url ? random_hex(8) : "";
}

int cannot_listen(const std::string &reason) {
    log_event(LogLevel::error, "cannot_start", {log_text("reason", reason)});
    return 1;
}

int wait_for_signal(const sigset_t &signals) {
    int number = 0;
    while (sigwait(&signals, &number) != 0) {
    }
    return number;
}

void start_alerts(std::optional<Alerts> &alerts, const Config &config, Metrics &metrics) {
    alerts.reset(); // what it had begun is due again
    if (!config.alerts.webhook_url.empty())
        alerts.emplace(db::settings_of(config.storage, *config.storage.maintenance_url),
                       config.alerts, metrics);
}

// Empty: new connections use these files; otherwise nothing has changed.
std::string set_tls(HttpServer &server, const TlsConfig &tls) {
    if (tls.certificate_file.empty())
        return "";
    auto made = make_tls_context(tls);
    if (const auto *problem = std::get_if<std::string>(&made))
        return *problem;
    server.set_tls(std::move(std::get<TlsContext>(made)));
    return "";
}

// Reads the file again. Requests that run go on with the settings they began with.
void reload(const std::string &file, LiveSettings &live, Slots &turns,
            std::optional<Alerts> &alerts, Metrics &metrics, HttpServer &server) {
    const std::optional<Config> fresh = read_again(file);
    if (!fresh)
        return;
    const SettingsPointer running = live.current();
    const SettingsPointer next = make_settings(merged(running->config, *fresh), running.get());
    if (const auto problem = set_tls(server, next->config.tls); !problem.empty()) {
        log_event(LogLevel::error, "reload_refused", {log_text("reason", problem)});
        return;
    }
    for (const std::string &key : restart_keys(running->config, *fresh))
        log_event(LogLevel::warn, "needs_restart", {log_text("key", key)});
    live.replace(next);
    turns.set_most(next->config.limits.max_turns);
    log_set_level(next->config.log_level);
    if (!(next->config.alerts == running->config.alerts))
        start_alerts(alerts, next->config, metrics);
    log_event(LogLevel::info, "reloaded", {log_text("file", file)});
}

// Until a signal that ends the server. A reload that fails changes nothing.
int reload_until_end(const sigset_t &signals, const std::function<void()> &on_hangup) {
    for (;;) {
        const int number = wait_for_signal(signals);
        if (number != SIGHUP)
            return number;
        try {
            on_hangup();
        } catch (const std::exception &problem) {
            log_event(LogLevel::error, "reload_refused", {log_text("reason", problem.what())});
        }
    }
}

} // namespace

int serve(const Config &config, const std::string &file) {
    keep_descriptors_small();
    const sigset_t signals = block_signals();
    log_set_level(config.log_level);

    LiveSettings live(make_settings(config, nullptr));
    db::Database database(config.storage);
    Metrics metrics(config.model.name);
    Slots turns(config.limits.max_turns);
    Shares turn_shares(turns);
    Slots bodies(config.limits.threads / 4 + 1);
    Shares body_shares(bodies);
    Slots uploads(config.limits.max_uploads);
    Shares upload_shares(uploads);
    std::atomic<bool> is_stopping{false};
    Services services{live,       database,    metrics, turns,         turn_shares,
                      bodies,     body_shares, uploads, upload_shares, instance_id(config.storage),
                      is_stopping};
    std::optional<SpanExporter> spans;
    if (!config.traces.otel_endpoint.empty())
        services.spans = &spans.emplace(config.traces, services.instance_id, metrics);
    std::optional<Orphans> orphans;
    if (config.storage.maintenance_url)
        orphans.emplace(db::settings_of(config.storage, *config.storage.maintenance_url),
                        services.instance_id);
    std::optional<Alerts> alerts;
    start_alerts(alerts, config, metrics);
    Pipeline pipeline(services);
    HttpServer server(
        config.limits, [&](const Request &request) { return pipeline.handle(request); },
        [&] { metrics.count_shed_connection(); });
    server.set_admission([&](const Request &request) { return pipeline.admit(request); });
    if (const auto problem = set_tls(server, config.tls); !problem.empty())
        return cannot_listen(problem);
    add_gauges(metrics, server, database, turns);
    add_hold_gauges(metrics, orphans);
    const auto metrics_listener = make_metrics_listener(
        config.metrics, [&live] { return live.current()->config.metrics.token; },
        [&metrics] { return metrics.text(); });
    if (metrics_listener)
        if (const auto problem = metrics_listener->start(config.metrics.host, config.metrics.port);
            !problem.empty())
            return cannot_listen(problem);
    if (const auto problem = server.start(config.host, config.port); !problem.empty())
        return cannot_listen(problem);
    log_listening(config, services.instance_id);

    const int signal =
        reload_until_end(signals, [&] { reload(file, live, turns, alerts, metrics, server); });
    log_event(LogLevel::info, "stopping", {log_number("signal", static_cast<long long>(signal))});
    is_stopping = true;
    server.stop(std::chrono::steady_clock::now() + live.current()->config.limits.shutdown_timeout);
    log_event(LogLevel::info, "stopped");
    return 0;
}

} // namespace tenancy::server
