// The command "tenancyd sync-keys": signals, metrics, and the loop.
#include <csignal>

#include "../log.hpp"
#include "../metrics_listener.hpp"
#include "key_sync.hpp"

namespace tenancy::server::keys {

namespace {

constexpr timespec kTick{1, 0};

// Blocked in this thread and so in every thread it starts: only sigtimedwait() gets them.
sigset_t block_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    (void)std::signal(SIGPIPE, SIG_IGN);
    return signals;
}

int cannot_start(const std::string &reason) {
    log_event(LogLevel::error, "cannot_start", {log_text("reason", reason)});
    return 1;
}

} // namespace

int sync_keys(const Config &config, bool once) {
    const sigset_t signals = block_signals();
    log_set_level(config.log_level);
    if (!config.key_sync.database_url)
        return cannot_start(
            "server.key_sync.database_url is missing. Give the connection string of a "
            "role with tenancy.grant_key_sync().");
    SyncMetrics metrics;
    KeySync sync(config, metrics);
    if (once)
        return sync.run_once() ? 0 : 1;
    const auto listener = make_metrics_listener(
        config.key_sync.metrics, [&config] { return config.key_sync.metrics.token; },
        [&metrics] { return metrics.text(); });
    if (listener)
        if (const auto problem =
                listener->start(config.key_sync.metrics.host, config.key_sync.metrics.port);
            !problem.empty())
            return cannot_start(problem);
    log_event(LogLevel::info, "key_sync_started",
              {log_number("issuers", static_cast<long long>(config.tenancy.issuers.size()))});
    do
        sync.tick();
    while (sigtimedwait(&signals, nullptr, &kTick) < 0);
    log_event(LogLevel::info, "stopped");
    return 0;
}

} // namespace tenancy::server::keys
