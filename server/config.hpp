// The configuration: one YAML file in the agent.yaml layout -> one immutable struct.
// Every check and every default is here or in config.cpp; nothing else reads the file or the
// environment.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "log.hpp"
#include "rate/valkey_address.hpp"
#include "secret.hpp"

namespace tenancy::server {

struct AgentConfig {
    std::string name = "agent";
    std::string description;
    std::string version = "0.1.0";
    bool operator==(const AgentConfig &) const = default;
};

enum class Provider { echo, openai };

struct ModelConfig {
    Provider provider = Provider::openai;
    std::string endpoint; // base URL up to and including /v1
    std::string name;
    Secret api_key; // from api_key_env or api_key_file; may be empty
    std::string ca_file;
    std::map<std::string, Secret> headers; // sent with each request
    std::optional<double> temperature;
    std::optional<long> max_tokens;
    std::chrono::seconds connect_timeout{5};
    std::chrono::seconds first_token_timeout{60};
    std::chrono::seconds idle_timeout{30};
    std::chrono::seconds total_timeout{600};
    std::chrono::milliseconds echo_delay{0}; // provider echo only
    long retries = 1;                        // of the whole list, after all of it has failed
    std::vector<ModelConfig> fallbacks;      // tried in order; their own fallbacks are empty
    bool operator==(const ModelConfig &) const = default;
};

struct StorageConfig {
    Secret database_url;
    std::optional<Secret>
        maintenance_url; // of the maintenance role; absent: this instance sweeps nothing
    std::size_t pool_size = 16;
    std::chrono::seconds acquire_timeout{5};
    std::chrono::seconds statement_timeout{30};
    bool prepare_statements = true;
    bool operator==(const StorageConfig &) const = default;
};

struct TlsConfig {
    std::string certificate_file; // empty: plain HTTP
    std::string key_file;
    bool needs_1_3 = false; // otherwise 1.2
    bool operator==(const TlsConfig &) const = default;
};

struct LimitsConfig {
    std::size_t max_connections = 512;
    std::size_t connections_per_address = 128; // 0: no limit
    std::size_t threads = 96;
    std::size_t queue = 128;
    std::size_t max_turns = 80; // chat turns at once; the other threads stay free for reads
    std::size_t max_body_bytes = 4194304;
    std::size_t max_upload_bytes = 0; // of the upload route, from server.files; 0: as all others
    std::size_t max_uploads = 8;      // at once, likewise
    std::size_t max_header_bytes = 65536;
    std::chrono::seconds request_timeout{30};
    std::chrono::seconds write_timeout{30};
    std::chrono::seconds keep_alive_timeout{15};
    std::chrono::seconds shutdown_timeout{10};
    bool operator==(const LimitsConfig &) const = default;
};

/// Files; the database's quota decides as well, and the tighter of both counts.
struct FilesConfig {
    bool enabled = false;
    std::size_t max_file_size_bytes = 52428800;
    std::vector<std::string> allowed_mime_types; // empty: any
};

/// The rate limit on top of the database's own: shared by several primaries when it is in a Valkey.
struct SharedLimitConfig {
    bool uses_valkey = false;
    rate::ValkeyAddress address;
    std::chrono::milliseconds timeout{50}; // for connecting, signing in and the answer together
    std::string key_prefix = "tenancy:";
    bool operator==(const SharedLimitConfig &) const = default;
};

/// Connections to Valkey at most.
inline constexpr std::size_t kValkeyConnections = 16;

struct MetricsConfig {
    bool enabled = false;
    std::string host = "127.0.0.1";
    int port = 9464;
    Secret token; // demanded as a bearer token when set
    bool operator==(const MetricsConfig &) const = default;
};

/// Where alerts of budgets are sent; no URL: nowhere.
struct AlertsConfig {
    std::string webhook_url;
    Secret webhook_secret;
    std::string ca_file;
    std::chrono::seconds timeout{10}; // for one delivery, from connecting to the answer
    bool operator==(const AlertsConfig &) const = default;
};

/// Where spans are sent as OTLP over HTTP, besides the database; no endpoint: nowhere.
struct TracesConfig {
    std::string otel_endpoint; // base URL; /v1/traces is added
    std::string service_name = "tenancyd";
    Secret otel_token; // sent as a bearer token when set
    std::string ca_file;
    std::chrono::seconds timeout{10}; // for one batch
    bool operator==(const TracesConfig &) const = default;
};

/// Used by `sync-keys` alone.
struct KeySyncConfig {
    std::optional<Secret> database_url; // of a role with tenancy.grant_key_sync()
    std::chrono::seconds refresh{300};
    std::chrono::seconds cooldown{30};
    std::chrono::seconds retire_grace{0};
    std::chrono::seconds stale_grace{0};
    std::chrono::seconds timeout{10};
    std::string ca_file;
    MetricsConfig metrics;
    bool operator==(const KeySyncConfig &) const = default;
};

/// The blocks below are checked here and written to the database by an administrator's command;
/// `serve` never applies them.
struct RateLimitConfig {
    std::optional<long> requests_per_minute;
    std::optional<long> burst;
    std::optional<long> tokens_per_minute;
    std::optional<long> max_concurrent;
    std::optional<long> subject_requests_per_minute;
    bool operator==(const RateLimitConfig &) const = default;
};

struct BudgetConfig {
    std::string window = "month";
    std::string mode = "enforce";
    std::optional<std::string> limit_usd; // decimal text: money is never a float
    std::optional<std::string> warn_ratio;
    std::optional<long> limit_tokens;
    std::string time_zone = "UTC";
    bool operator==(const BudgetConfig &) const = default;
};

/// All absent and no types: nothing is said of files.
struct FileQuotaConfig {
    std::optional<long> max_bytes, max_files, max_file_bytes;
    std::vector<std::string> allowed_mime_types; // empty: any
    bool operator==(const FileQuotaConfig &) const = default;
};

struct IssuerConfig {
    std::string issuer;
    std::vector<std::string> audiences;
    std::string jwks_url;
    std::string jwks_file;
    std::string tenant_claim = "tenant";
    std::vector<std::string> algorithms{"ES256", "RS256"};
    std::string typ = "any";
    std::vector<std::string> authorized_parties;
    long leeway_seconds = 30;
    long max_lifetime_seconds = 0;
    long max_age_seconds = 0;
    std::optional<bool> one_time_jti; // absent: as it is
    bool operator==(const IssuerConfig &) const = default;
};

struct TenantConfig {
    std::string id;
    std::string issuer;
    std::string claim_value;
    std::optional<std::string> state; // absent: as it is
    bool operator==(const TenantConfig &) const = default;
};

struct TenantOverride {
    RateLimitConfig rate_limit;
    BudgetConfig budget;
    FileQuotaConfig file_quota;
    bool operator==(const TenantOverride &) const = default;
};

struct TenancyConfig {
    std::optional<Secret> admin_url; // of an administrator; used by `apply` alone
    std::vector<IssuerConfig> issuers;
    std::vector<TenantConfig> tenants;
    RateLimitConfig rate_limit;
    BudgetConfig budget;
    FileQuotaConfig file_quota;
    std::map<std::string, TenantOverride> overrides;
    bool operator==(const TenancyConfig &) const = default;
};

/// USD as decimal text; what is absent is left to tenancy.apply_config().
struct PriceConfig {
    std::optional<std::string> input_per_1k;
    std::optional<std::string> output_per_1k;
    std::optional<std::string> cached_input_per_1k;
    std::optional<std::string> cache_write_per_1k;
    std::optional<std::string> reasoning_per_1k;
    std::optional<std::string> per_request;
    bool operator==(const PriceConfig &) const = default;
};

/// One scope of agent.yaml's budget block, where 0 is "off".
struct AgentBudgetLimits {
    std::optional<std::string> warn_usd;
    std::optional<std::string> limit_usd;
    bool operator==(const AgentBudgetLimits &) const = default;
};

struct AgentBudgetConfig {
    std::string mode = "enforce";
    AgentBudgetLimits per_session;
    AgentBudgetLimits per_tenant;
    bool operator==(const AgentBudgetConfig &) const = default;
};

struct Config {
    AgentConfig agent;
    ModelConfig model;
    std::string host = "127.0.0.1";
    int port = 8080;
    TlsConfig tls;
    StorageConfig storage;
    LimitsConfig limits;
    FilesConfig files;
    SharedLimitConfig shared_limit;
    MetricsConfig metrics;
    AlertsConfig alerts;
    TracesConfig traces;
    TenancyConfig tenancy;
    KeySyncConfig key_sync;
    std::map<std::string, PriceConfig> prices; // "" is the default price
    AgentBudgetConfig budget;
    LogLevel log_level = LogLevel::info;
    std::vector<std::string> warnings; // "file:line: key: ..." for keys that have no effect here
};

/// Descriptors that a server with this configuration may need at once, and how many it may have.
std::size_t descriptors_wanted(const Config &config);
inline constexpr std::size_t kMaxDescriptors = 900;
/// Idle connections kept to one model's endpoint at most.
inline constexpr std::size_t kIdleConnections = 64;

/// What loading gave: a usable configuration, or every mistake found, each as
/// "file:line: key: what is wrong. What to do."
struct LoadedConfig {
    Config config;
    std::vector<std::string> errors;
};

/// Reads and checks a file. `environment` answers ${NAME}; see config_env.hpp.
LoadedConfig load_config_file(const std::string &path);

/// The same from text; `file` is only the name used in messages. Keys' files are read from disk.
LoadedConfig load_config_text(const std::string &text, const std::string &file);

} // namespace tenancy::server
