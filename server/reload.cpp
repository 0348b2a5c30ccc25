#include "reload.hpp"

#include "http_model.hpp"
#include "llm/echo.hpp"
#include "llm/fallback.hpp"
#include "log.hpp"

namespace tenancy::server {

namespace {

std::unique_ptr<llm::Model> make_model(const ModelConfig &model) {
    if (model.provider == Provider::echo)
        return std::make_unique<llm::EchoModel>(model.echo_delay);
    std::vector<llm::Candidate> candidates;
    candidates.push_back({model.name, std::make_unique<llm::HttpModel>(model)});
    for (const ModelConfig &fallback : model.fallbacks)
        candidates.push_back({fallback.name, std::make_unique<llm::HttpModel>(fallback)});
    return std::make_unique<llm::FallbackModel>(std::move(candidates), model.retries);
}

// Checked with the file's other limits when it was read, but those are not the running ones.
bool fits(const Config &config) {
    return config.limits.max_turns < config.limits.threads &&
           descriptors_wanted(config) <= kMaxDescriptors;
}

} // namespace

Config merged(const Config &running, const Config &fresh) {
    Config next = running;
    next.agent = fresh.agent;
    next.model = fresh.model;
    next.model.provider = running.model.provider;
    next.model.name = running.model.name; // the metrics' label, and what is priced
    next.limits.max_turns = fresh.limits.max_turns;
    next.limits.shutdown_timeout = fresh.limits.shutdown_timeout;
    next.shared_limit = fresh.shared_limit;
    next.alerts = fresh.alerts;
    next.metrics.token = fresh.metrics.token;
    next.log_level = fresh.log_level;
    if (running.tls.certificate_file.empty() == fresh.tls.certificate_file.empty())
        next.tls = fresh.tls;
    if (!fits(next)) {
        next.limits.max_turns = running.limits.max_turns;
        next.shared_limit = running.shared_limit;
        next.model.fallbacks = running.model.fallbacks;
    }
    // An alert is sent over the running maintenance connection, if there is one.
    if (!next.storage.maintenance_url)
        next.alerts = running.alerts;
    // Nobody but this machine could ask without a token when the server started.
    if (next.metrics.token.empty())
        next.metrics.token = running.metrics.token;
    return next;
}

std::vector<std::string> restart_keys(const Config &running, const Config &fresh) {
    const Config next = merged(running, fresh);
    const StorageConfig &storage = next.storage;
    const LimitsConfig &limits = next.limits;
    const std::vector<std::pair<const char *, bool>> keys = {
        {"model.provider", next.model.provider == fresh.model.provider},
        {"model.name", next.model.name == fresh.model.name},
        {"model.fallbacks", next.model.fallbacks == fresh.model.fallbacks},
        {"server.host", next.host == fresh.host},
        {"server.port", next.port == fresh.port},
        {"server.tls", next.tls == fresh.tls},
        {"server.storage.database_url", storage.database_url == fresh.storage.database_url},
        {"server.storage.maintenance_url",
         storage.maintenance_url == fresh.storage.maintenance_url},
        {"server.storage.pool_size", storage.pool_size == fresh.storage.pool_size},
        {"server.storage.acquire_timeout_seconds",
         storage.acquire_timeout == fresh.storage.acquire_timeout},
        {"server.storage.statement_timeout_seconds",
         storage.statement_timeout == fresh.storage.statement_timeout},
        {"server.storage.prepare_statements",
         storage.prepare_statements == fresh.storage.prepare_statements},
        {"server.limits.max_connections", limits.max_connections == fresh.limits.max_connections},
        {"server.limits.connections_per_address",
         limits.connections_per_address == fresh.limits.connections_per_address},
        {"server.limits.threads", limits.threads == fresh.limits.threads},
        {"server.limits.queue", limits.queue == fresh.limits.queue},
        {"server.limits.max_turns", limits.max_turns == fresh.limits.max_turns},
        {"server.limits.max_body_bytes", limits.max_body_bytes == fresh.limits.max_body_bytes},
        {"server.limits.max_header_bytes",
         limits.max_header_bytes == fresh.limits.max_header_bytes},
        {"server.limits.request_timeout_seconds",
         limits.request_timeout == fresh.limits.request_timeout},
        {"server.limits.write_timeout_seconds", limits.write_timeout == fresh.limits.write_timeout},
        {"server.limits.keep_alive_timeout_seconds",
         limits.keep_alive_timeout == fresh.limits.keep_alive_timeout},
        {"server.rate_limit", next.shared_limit == fresh.shared_limit},
        {"server.metrics.enabled", next.metrics.enabled == fresh.metrics.enabled},
        {"server.metrics.host", next.metrics.host == fresh.metrics.host},
        {"server.metrics.port", next.metrics.port == fresh.metrics.port},
        {"server.metrics.token", next.metrics.token == fresh.metrics.token},
        {"server.alerts", next.alerts == fresh.alerts},
        {"server.traces", next.traces == fresh.traces}};
    std::vector<std::string> differing;
    for (const auto &[key, is_same] : keys)
        if (!is_same)
            differing.emplace_back(key);
    return differing;
}

std::optional<Config> read_again(const std::string &file) {
    LoadedConfig loaded = load_config_file(file);
    for (const std::string &warning : loaded.config.warnings)
        log_event(LogLevel::warn, "config_warning", {log_text("reason", warning)});
    for (const std::string &error : loaded.errors)
        log_event(LogLevel::error, "config_error", {log_text("reason", error)});
    if (loaded.errors.empty())
        return std::move(loaded.config);
    log_event(LogLevel::error, "reload_refused",
              {log_text("reason", "the file has errors; the old configuration goes on")});
    return std::nullopt;
}

SettingsPointer make_settings(Config config, const Settings *previous) {
    auto settings = std::make_shared<Settings>();
    settings->model = make_model(config.model);
    if (previous != nullptr && previous->config.shared_limit == config.shared_limit)
        settings->shared_limit = previous->shared_limit;
    else if (config.shared_limit.uses_valkey)
        settings->shared_limit = std::make_shared<rate::SharedLimit>(config.shared_limit);
    settings->config = std::move(config);
    return settings;
}

} // namespace tenancy::server
