// The model block of the configuration, and what other blocks share with it.
#pragma once

#include "config.hpp"
#include "config_reader.hpp"

namespace tenancy::server {

/// One secret from <prefix>_env or <prefix>_file; empty when neither is given.
Secret read_secret(Section &section, const std::string &prefix, const Environment &environment);

/// The scheme is http or https; nothing else is looked at.
bool is_http_url(const std::string &url);

/// The model and its fallbacks; mistakes are reported to the section.
void read_model(Section section, ModelConfig &model, const Environment &environment);

} // namespace tenancy::server
