#include "serve.hpp"

#include <csignal>
#include <sys/resource.h>

#include "alerts.hpp"
#include "http_model.hpp"
#include "http_server.hpp"
#include "llm/echo.hpp"
#include "log.hpp"
#include "metrics_listener.hpp"
#include "orphans.hpp"
#include "pipeline.hpp"
#include "random_id.hpp"

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
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    (void)std::signal(SIGPIPE, SIG_IGN);
    return signals;
}

std::unique_ptr<llm::Model> make_model(const ModelConfig &model) {
    if (model.provider == Provider::echo)
        return std::make_unique<llm::EchoModel>(model.echo_delay);
    return std::make_unique<llm::HttpModel>(model);
}

void add_gauges(Metrics &metrics, const HttpServer &server, const db::Database &database,
                const Slots &turns) {
    metrics.add_gauge("tenancyd_busy_threads", [&server] { return server.busy_threads(); });
    metrics.add_gauge("tenancyd_waiting_connections",
                      [&server] { return server.waiting_connections(); });
    metrics.add_gauge("tenancyd_database_connections_in_use",
                      [&database] { return database.connections_in_use(); });
    metrics.add_gauge("tenancyd_turns_running", [&turns] { return turns.taken(); });
}

// An instance that holds no lock to show that it is alive has no name: it would be taken for gone.
std::string instance_id(const StorageConfig &storage) {
    return storage.maintenance_url ? random_hex(8) : "";
}

int cannot_listen(const std::string &reason) {
    log_event(LogLevel::error, "cannot_start", {log_text("reason", reason)});
    return 1;
}

void wait_for_signal(const sigset_t &signals) {
    int number = 0;
    while (sigwait(&signals, &number) != 0) {
    }
    log_event(LogLevel::info, "stopping", {log_number("signal", static_cast<long long>(number))});
}

} // namespace

int serve(const Config &config) {
    keep_descriptors_small();
    const sigset_t signals = block_signals();
    log_set_level(config.log_level);

    db::Database database(config.storage);
    const std::unique_ptr<llm::Model> model = make_model(config.model);
    Metrics metrics(config.model.name);
    Slots turns(config.limits.max_turns);
    std::atomic<bool> is_stopping{false};
    std::optional<rate::SharedLimit> shared_limit;
    if (config.shared_limit.uses_valkey)
        shared_limit.emplace(config.shared_limit);
    Services services{config,      database,
                      *model,      metrics,
                      turns,       instance_id(config.storage),
                      is_stopping, shared_limit ? &*shared_limit : nullptr};
    std::optional<Orphans> orphans;
    if (config.storage.maintenance_url)
        orphans.emplace(db::settings_of(config.storage, *config.storage.maintenance_url),
                        services.instance_id);
    std::optional<Alerts> alerts;
    if (!config.alerts.webhook_url.empty())
        alerts.emplace(db::settings_of(config.storage, *config.storage.maintenance_url),
                       config.alerts, metrics);
    Pipeline pipeline(services);
    HttpServer server(
        config.limits, [&](const Request &request) { return pipeline.handle(request); },
        [&] { metrics.count_shed_connection(); });
    add_gauges(metrics, server, database, turns);
    if (orphans) {
        metrics.add_gauge("tenancyd_open_holds", [&orphans] { return orphans->open_holds(); });
        metrics.add_gauge("tenancyd_held_picodollars",
                          [&orphans] { return orphans->held_picodollars(); });
    }
    const auto metrics_listener =
        make_metrics_listener(config.metrics, [&metrics] { return metrics.text(); });
    if (metrics_listener)
        if (const auto problem = metrics_listener->start(config.metrics.host, config.metrics.port);
            !problem.empty())
            return cannot_listen(problem);
    if (const auto problem = server.start(config.host, config.port); !problem.empty())
        return cannot_listen(problem);
    log_event(
        LogLevel::info, "listening",
        {log_text("host", config.host), log_number("port", static_cast<long long>(config.port)),
         log_text("model", config.model.name), log_text("instance_id", services.instance_id)});

    wait_for_signal(signals);
    is_stopping = true;
    server.stop(std::chrono::steady_clock::now() + config.limits.shutdown_timeout);
    log_event(LogLevel::info, "stopped");
    return 0;
}

} // namespace tenancy::server
