// SIGHUP: which parts of a new configuration a running server takes over.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "settings.hpp"

namespace tenancy::server {

/// The running configuration with all of the new one that needs no restart: agent, the model but
/// for provider and name, limits.max_turns and shutdown_timeout, TLS (but on or off), the shared
/// rate limit, alerts, the token of the metrics, and the log level.
Config merged(const Config &running, const Config &fresh);

/// The keys that differ and that merged() did not take over.
std::vector<std::string> restart_keys(const Config &running, const Config &fresh);

/// Reads a file again and writes to the log what is wrong with it. Nothing when it cannot be used.
std::optional<Config> read_again(const std::string &file);

/// Makes the model and the shared limit of a configuration; the limit is `previous`'s when nothing
/// about it changed, as its connections and what it knows of Valkey are.
SettingsPointer make_settings(Config config, const Settings *previous);

} // namespace tenancy::server
