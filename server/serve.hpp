// `tenancyd serve`: puts the parts together, runs until a signal, stops in order.
#pragma once

#include "config.hpp"

namespace tenancy::server {

/// Serves until SIGTERM or SIGINT. Returns the process's exit status: 0 after an orderly stop, 1
/// when it could not listen. Must be called before any other thread exists.
int serve(const Config &config);

} // namespace tenancy::server
