// The command "tenancyd sync-keys": signals, metrics, and the loop.
#include <csignal>

#include "../log.hpp"
#include "../metrics_listener.hpp"
#include "../reload.hpp"
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
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    (void)std::signal(SIGPIPE, SIG_IGN);
    return signals;
}

// A loader and what it was told.
struct Loader {
    Loader(Config told, SyncMetrics &metrics) : config(std::move(told)), sync(config, metrics) {}
    const Config config;
    KeySync sync;
};

// A new loader instead of the running one, which fetches everything at once. What is wrong with the
// file changes nothing.
void reload(const std::string &file, std::unique_ptr<Loader> &loader, SyncMetrics &metrics) {
    std::optional<Config> fresh = read_again(file);
    if (!fresh)
        return;
    if (!fresh->key_sync.database_url) {
        log_event(LogLevel::error, "reload_refused",
                  {log_text("reason", "server.key_sync.database_url is missing; the old "
                                      "configuration goes on")});
        return;
    }
    if (!(fresh->key_sync.metrics == loader->config.key_sync.metrics))
        log_event(LogLevel::warn, "needs_restart", {log_text("key", "server.key_sync.metrics")});
    log_set_level(fresh->log_level);
    loader.reset(); // its connection holds the lock that the new one wants
    loader = std::make_unique<Loader>(std::move(*fresh), metrics);
    log_event(LogLevel::info, "reloaded", {log_text("file", file)});
}

// Until a signal that ends it.
void run_until_end(const sigset_t &signals, const std::string &file,
                   std::unique_ptr<Loader> &loader, SyncMetrics &metrics) {
    for (;;) {
        loader->sync.tick();
        const int signal = sigtimedwait(&signals, nullptr, &kTick);
        if (signal == SIGHUP)
            reload(file, loader, metrics);
        else if (signal > 0)
            return;
    }
}

int cannot_start(const std::string &reason) {
    log_event(LogLevel::error, "cannot_start", {log_text("reason", reason)});
    return 1;
}

} // namespace

int sync_keys(const Config &config, const std::string &file, bool once) {
    const sigset_t signals = block_signals();
    log_set_level(config.log_level);
    if (!config.key_sync.database_url)
        return cannot_start(
            "server.key_sync.database_url is missing. Give the connection string of a "
            "role with tenancy.grant_key_sync().");
    SyncMetrics metrics;
    auto loader = std::make_unique<Loader>(config, metrics);
    if (once)
        return loader->sync.run_once() ? 0 : 1;
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
    run_until_end(signals, file, loader, metrics);
    log_event(LogLevel::info, "stopped");
    return 0;
}

} // namespace tenancy::server::keys
