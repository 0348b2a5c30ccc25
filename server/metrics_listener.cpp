#include "metrics_listener.hpp"

#include <utility>

#include <openssl/crypto.h>

#include "problem.hpp"

namespace tenancy::server {

namespace {

bool holds_token(const Request &request, const Secret &token) {
    const auto header = request.headers.find("Authorization");
    const std::string wanted = "Bearer " + token.reveal();
    return header && header->size() == wanted.size() &&
           CRYPTO_memcmp(header->data(), wanted.data(), wanted.size()) == 0;
}

} // namespace

Response answer_metrics(const Secret &token, const MetricsText &text, const Request &request) {
    if (request.path != "/metrics")
        return problem(Code::not_found);
    if (request.method != "GET" && request.method != "HEAD")
        return problem(Code::method_not_allowed);
    if (!token.empty() && !holds_token(request, token))
        return problem(Code::no_token);
    Response response;
    response.headers.add("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    response.body = text();
    return response;
}

std::unique_ptr<HttpServer> make_metrics_listener(const MetricsConfig &config, MetricsToken token,
                                                  MetricsText text) {
    if (!config.enabled)
        return nullptr;
    LimitsConfig limits;
    limits.max_connections = 16;
    limits.connections_per_address = 0;
    limits.threads = 2;
    limits.queue = 8;
    limits.max_body_bytes = 1024;
    limits.request_timeout = std::chrono::seconds(5);
    limits.keep_alive_timeout = std::chrono::seconds(2);
    return std::make_unique<HttpServer>(
        limits,
        [token = std::move(token), text = std::move(text)](const Request &request) {
            return answer_metrics(token(), text, request);
        },
        [] {});
}

} // namespace tenancy::server
