// The two ends of `tenancyd apply`: the configuration as tenancy.apply_config() takes it, and its
// answer in words.
#pragma once

#include <string>

#include "config.hpp"
#include "db/connection.hpp"

namespace tenancy::server {

/// JSON text of server.tenancy, pricing, budget and the model's name. Money stays decimal text. The
/// files of jwks_file are read here; throws std::runtime_error when one cannot be.
std::string apply_json(const Config &config);

/// What apply_config() told, one line per thing that changes with old -> new values, then what was
/// left alone, then a summary.
std::string apply_report(const db::Rows &rows, bool dry_run);

} // namespace tenancy::server
