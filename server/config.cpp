#include "config.hpp"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>

#include "config_model.hpp"
#include "config_reader.hpp"
#include "config_tenancy.hpp"
#include "safe_url.hpp"

namespace tenancy::server {

namespace {

template <typename T>
void take(std::optional<T> found, T &value) {
    if (found)
        value = std::move(*found);
}

void take(std::optional<long> found, std::size_t &value) {
    if (found)
        value = static_cast<std::size_t>(*found);
}

void read_agent(Section section, AgentConfig &agent) {
    take(section.text("name"), agent.name);
    take(section.text("description"), agent.description);
    take(section.text("version"), agent.version);
    section.finish();
}

void read_storage(Section section, StorageConfig &storage) {
    take(section.number("pool_size", 1, 500), storage.pool_size);
    section.seconds("acquire_timeout_seconds", storage.acquire_timeout, 1, 300);
    section.seconds("statement_timeout_seconds", storage.statement_timeout, 1, 3600);
    take(section.flag("prepare_statements"), storage.prepare_statements);
    const auto backend = section.text("backend");
    if (backend && !backend->empty() && *backend != "postgres")
        section.error("backend", "tenancyd keeps everything in PostgreSQL. Set it to postgres.");
    const auto url = section.text("database_url");
    if (!url || url->empty())
        section.error("database_url", "is missing. Give a connection string such as "
                                      "postgresql://app@localhost/agents.");
    else
        storage.database_url = Secret(*url);
    if (const auto maintenance = section.text("maintenance_url");
        maintenance && !maintenance->empty())
        storage.maintenance_url = Secret(*maintenance);
    section.without_effect({"sqlite_path", "platform_url", "platform_token"});
    section.finish();
}

void read_tls(Section section, TlsConfig &tls) {
    take(section.text("certificate_file"), tls.certificate_file);
    take(section.text("key_file"), tls.key_file);
    tls.needs_1_3 = section.one_of("min_version", {"1.2", "1.3"}) == "1.3";
    section.finish();
    if (tls.certificate_file.empty() != tls.key_file.empty())
        section.error(tls.key_file.empty() ? "key_file" : "certificate_file",
                      "is missing. Give both files, or neither for plain HTTP.");
}

void read_limits(Section section, LimitsConfig &limits) {
    take(section.number("max_connections", 2, 800), limits.max_connections);
    take(section.number("connections_per_address", 0, 800), limits.connections_per_address);
    take(section.number("threads", 2, 800), limits.threads);
    take(section.number("queue", 1, 800), limits.queue);
    take(section.number("max_turns", 1, 799), limits.max_turns);
    take(section.number("max_body_bytes", 1024, 268435456), limits.max_body_bytes);
    take(section.number("max_header_bytes", 4096, 1048576), limits.max_header_bytes);
    section.seconds("request_timeout_seconds", limits.request_timeout, 1, 3600);
    section.seconds("write_timeout_seconds", limits.write_timeout, 1, 3600);
    section.seconds("keep_alive_timeout_seconds", limits.keep_alive_timeout, 1, 3600);
    section.seconds("shutdown_timeout_seconds", limits.shutdown_timeout, 0, 3600);
    section.finish();
    if (limits.max_turns >= limits.threads)
        section.error("max_turns", "must be less than threads: every turn holds one thread and the "
                                   "others must stay free for short requests.");
}

bool is_key_prefix(const std::string &prefix) {
    // No brace: the tenant's are to be the first ones of a key.
    return prefix.size() <= 64 && std::all_of(prefix.begin(), prefix.end(), [](unsigned char c) {
               return std::isalnum(c) != 0 || c == '.' || c == '_' || c == ':' || c == '-';
           });
}

void read_shared_limit(Section section, SharedLimitConfig &shared) {
    const auto backend = section.one_of("backend", {"database", "valkey"});
    shared.uses_valkey = backend && *backend == "valkey";
    const auto url = section.text("valkey_url");
    if (url) {
        auto address = rate::parse_valkey_url(*url);
        if (auto *problem = std::get_if<std::string>(&address))
            section.error("valkey_url", *problem);
        else
            shared.address = std::move(std::get<rate::ValkeyAddress>(address));
    } else if (shared.uses_valkey) {
        section.error("valkey_url", "is missing. Give one such as redis://127.0.0.1:6379/0.");
    }
    if (const auto timeout = section.number("timeout_ms", 1, 5000))
        shared.timeout = std::chrono::milliseconds(*timeout);
    take(section.text("key_prefix"), shared.key_prefix);
    if (!is_key_prefix(shared.key_prefix))
        section.error("key_prefix", "must be at most 64 letters, digits and . _ : -");
    section.finish();
}

bool is_loopback(const std::string &host) {
    return host == "localhost" || host == "::1" || host.rfind("127.", 0) == 0;
}

void read_metrics(Section section, MetricsConfig &metrics, const Environment &environment) {
    take(section.flag("enabled"), metrics.enabled);
    take(section.text("host"), metrics.host);
    if (const auto port = section.number("port", 1, 65535))
        metrics.port = static_cast<int>(*port);
    metrics.token = read_secret(section, "token", environment);
    section.without_effect({"token_label_mode"});
    section.finish();
    if (metrics.enabled && !is_loopback(metrics.host) && metrics.token.empty())
        section.error("host", "is reachable from outside. Use 127.0.0.1, or demand a bearer token "
                              "with token_env or token_file.");
}

void read_alerts(Section section, AlertsConfig &alerts, const StorageConfig &storage,
                 const Environment &environment) {
    take(section.text("webhook_url"), alerts.webhook_url);
    take(section.text("ca_file"), alerts.ca_file);
    section.seconds("timeout_seconds", alerts.timeout, 1, 60);
    alerts.webhook_secret = read_secret(section, "webhook_secret", environment);
    section.finish();
    if (alerts.webhook_url.empty())
        return;
    if (!parse_safe_url(alerts.webhook_url))
        section.error("webhook_url", "must be an https:// URL without a user name, or http:// to a "
                                     "loopback address.");
    if (alerts.webhook_secret.empty())
        section.error("webhook_secret_env",
                      "is missing. Name the variable (or webhook_secret_file) that holds the "
                      "secret which signs the deliveries.");
    if (!storage.maintenance_url)
        section.error("webhook_url", "needs server.storage.maintenance_url: alerts of all tenants "
                                     "are read by that role only.");
}

void read_traces(Section section, TracesConfig &traces, const Environment &environment) {
    section.without_effect({"backend", "max_age_hours", "sampling_rate", "fidelity"});
    if (section.flag("enabled") == false)
        section.without_effect({"enabled"}); // they are always kept
    const auto exporter = section.one_of("exporter", {"store", "otel"});
    std::string endpoint;
    take(section.text("otel_endpoint"), endpoint);
    take(section.text("service_name"), traces.service_name);
    take(section.text("ca_file"), traces.ca_file);
    section.seconds("timeout_seconds", traces.timeout, 1, 60);
    traces.otel_token = read_secret(section, "otel_token", environment);
    section.finish();
    if (!exporter || *exporter != "otel")
        return;
    while (!endpoint.empty() && endpoint.back() == '/')
        endpoint.pop_back();
    if (!parse_safe_url(endpoint))
        section.error("otel_endpoint",
                      "must be the base URL of an OTLP receiver: https:// without a user name, or "
                      "http:// to a loopback address such as http://127.0.0.1:4318.");
    traces.otel_endpoint = endpoint;
}

void read_key_sync(Section section, KeySyncConfig &sync, const Environment &environment) {
    if (const auto url = section.text("database_url"); url && !url->empty())
        sync.database_url = Secret(*url);
    section.seconds("refresh_seconds", sync.refresh, 1, 86400);
    section.seconds("cooldown_seconds", sync.cooldown, 1, 3600);
    section.seconds("retire_grace_seconds", sync.retire_grace, 0, 604800);
    section.seconds("stale_grace_seconds", sync.stale_grace, 0, 604800);
    section.seconds("timeout_seconds", sync.timeout, 1, 300);
    take(section.text("ca_file"), sync.ca_file);
    sync.metrics.port = 9465;
    read_metrics(section.section("metrics"), sync.metrics, environment);
    section.finish();
}

// Blocks whose stores are always on here: their keys are known, so one file serves both servers.
void read_store_block(Section section) {
    section.without_effect({"backend", "max_age_hours"});
    if (section.flag("enabled") == false)
        section.without_effect({"enabled"}); // they are always kept
    section.finish();
}

// What a form needs around its file: the other fields, names and boundaries.
constexpr std::size_t kFormBytes = 65536;

void read_files(Section section, FilesConfig &files, LimitsConfig &limits) {
    take(section.flag("enabled"), files.enabled);
    take(section.number("max_file_size_bytes", 1, 268435456), files.max_file_size_bytes);
    take(section.number("max_uploads", 1, 64), limits.max_uploads);
    files.allowed_mime_types = section.texts("allowed_mime_types");
    section.without_effect({"backend", "max_injection_tokens", "bytes_dir", "bytes_backend",
                            "sqlite_path", "max_age_hours", "scanner", "parser", "chunking"});
    section.finish();
    for (const std::string &type : files.allowed_mime_types)
        if (type.find('/') == std::string::npos ||
            type.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ; ") != std::string::npos)
            section.error("allowed_mime_types", "has \"" + type +
                                                    "\". Use the form type/subtype in lower case "
                                                    "without parameters.");
    if (files.enabled)
        limits.max_upload_bytes = files.max_file_size_bytes + kFormBytes;
}

void check_descriptors(Section &server, const Config &config) {
    // The HTTP library waits with select(): a descriptor of 1024 or more would corrupt memory, so
    // the process never opens that many (see serve.cpp) and the limits must fit below.
    const std::size_t wanted = descriptors_wanted(config);
    if (wanted > kMaxDescriptors)
        server.error("limits", "max_connections + max_turns + storage.pool_size, and 16 with "
                               "rate_limit.backend: valkey, and for each of model.fallbacks "
                               "max_turns or 64, is " +
                                   std::to_string(wanted) + ". Keep the sum at " +
                                   std::to_string(kMaxDescriptors) + " or less.");
}

void read_server(Section section, Config &config, const Environment &environment) {
    take(section.text("host"), config.host);
    if (config.host.empty())
        section.error("host", "is empty. Give an address such as 127.0.0.1.");
    if (const auto port = section.number("port", 1, 65535))
        config.port = static_cast<int>(*port);
    read_tls(section.section("tls"), config.tls);
    read_storage(section.section("storage"), config.storage);
    read_limits(section.section("limits"), config.limits);
    read_shared_limit(section.section("rate_limit"), config.shared_limit);
    read_metrics(section.section("metrics"), config.metrics, environment);
    read_alerts(section.section("alerts"), config.alerts, config.storage, environment);
    read_store_block(section.section("sessions"));
    read_traces(section.section("traces"), config.traces, environment);
    read_store_block(section.section("feedback"));
    read_files(section.section("files"), config.files, config.limits);
    read_tenancy(section.section("tenancy"), config.tenancy);
    read_key_sync(section.section("key_sync"), config.key_sync, environment);
    section.not_enforced("permissions", "tenancyd runs no tools: keep the rules where they run.");
    section.without_effect(
        {"compaction", "state_recovery", "event_sources", "event_sink", "graph", "work_items"});
    section.finish();
    check_descriptors(section, config);
}

void read_logging(Section section, Config &config) {
    const auto level = section.one_of("level", {"debug", "info", "warn", "error"});
    if (level)
        config.log_level = *level == "debug"   ? LogLevel::debug
                           : *level == "warn"  ? LogLevel::warn
                           : *level == "error" ? LogLevel::error
                                               : LogLevel::info;
    section.finish();
}

void read_all(Section root, Config &config, const Environment &environment) {
    read_agent(root.section("agent"), config.agent);
    read_model(root.section("model"), config.model, environment);
    read_server(root.section("server"), config, environment);
    read_logging(root.section("logging"), config);
    read_pricing(root.section("pricing"), config.prices);
    read_agent_budget(root.section("budget"), config.budget);
    root.not_enforced("security", "What tenancyd guards against is in SECURITY.md.");
    root.without_effect({"mcp_servers", "platform", "tools", "prompts", "loop", "memory", "nodes",
                         "subagents", "prompt_assembly", "self_healing", "maturation", "spawn",
                         "hooks"});
    root.finish();
}

} // namespace

std::size_t descriptors_wanted(const Config &config) {
    return config.limits.max_connections + config.limits.max_turns + config.storage.pool_size +
           (config.shared_limit.uses_valkey ? kValkeyConnections : 0) +
           config.model.fallbacks.size() * std::min(config.limits.max_turns, kIdleConnections);
}

LoadedConfig load_config_text(const std::string &text, const std::string &file) {
    LoadedConfig loaded;
    ConfigReport report{file, process_environment, {}, {}};
    try {
        read_all(Section(report, YAML::Load(text), ""), loaded.config, report.environment);
    } catch (const YAML::Exception &problem) {
        report.error(problem.mark.line + 1, "", "not valid YAML: " + problem.msg + ".");
    }
    loaded.errors = std::move(report.errors);
    loaded.config.warnings = std::move(report.warnings);
    return loaded;
}

LoadedConfig load_config_file(const std::string &path) {
    const std::ifstream in(path);
    if (!in) {
        LoadedConfig loaded;
        loaded.errors.push_back(path + ": cannot be opened. Check the path and its permissions.");
        return loaded;
    }
    std::ostringstream text;
    text << in.rdbuf();
    return load_config_text(text.str(), path);
}

} // namespace tenancy::server
