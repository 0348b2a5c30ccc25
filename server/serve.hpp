// `tenancyd serve`: puts the parts together, runs until a signal, stops in order.
#pragma once

#include <string>

#include "config.hpp"

namespace tenancy::server {

/// Serves until SIGTERM or SIGINT; on SIGHUP reads `file` again and takes over what needs no
/// restart (reload.hpp). Returns the process's exit status: 0 after an orderly stop, 1 when it
/// could not listen. Must be called before any other thread exists.
int serve(const Config &config, const std::string &file);

} // namespace tenancy::server
