// GET /metrics on a listener of its own, so that the API's address never serves it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "config.hpp"
#include "http_server.hpp"

namespace tenancy::server {

/// Makes the exposition that is served; called by the listener's threads.
using MetricsText = std::function<std::string()>;

/// Gives the token to demand at that moment; empty: none.
using MetricsToken = std::function<Secret()>;

/// Null when metrics are switched off.
std::unique_ptr<HttpServer> make_metrics_listener(const MetricsConfig &config, MetricsToken token,
                                                  MetricsText text);

/// The answer to one request on that listener; `token` empty: nobody is asked for one.
Response answer_metrics(const Secret &token, const MetricsText &text, const Request &request);

} // namespace tenancy::server
