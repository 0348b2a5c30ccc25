// GET /metrics on a listener of its own, so that the API's address never serves it.
#pragma once

#include <memory>

#include "config.hpp"
#include "http_server.hpp"
#include "metrics.hpp"

namespace tenancy::server {

/// Null when metrics are switched off. `metrics` must outlive the result.
std::unique_ptr<HttpServer> make_metrics_listener(const MetricsConfig &config,
                                                  const Metrics &metrics);

/// The answer to one request on that listener; `token` empty: nobody is asked for one.
Response answer_metrics(const Secret &token, const Metrics &metrics, const Request &request);

} // namespace tenancy::server
