#include "middleware.hpp"

#include "../log.hpp"

namespace tenancy::server {

void write_access_log(const RequestContext &context, int status, std::size_t bytes_sent) {
    const std::chrono::duration<double, std::milli> took =
        std::chrono::steady_clock::now() - context.started;
    const double milliseconds =
        static_cast<double>(static_cast<long long>(took.count() * 1000)) / 1000;
    log_of(context, LogLevel::info, "request",
           {log_text("method", context.method), log_text("route", context.route_pattern),
            log_number("status", static_cast<long long>(status)),
            log_number("duration_ms", milliseconds), log_text("refusal", context.refusal),
            log_text("sqlstate", context.sqlstate),
            log_number("bytes", static_cast<long long>(bytes_sent))});
}

} // namespace tenancy::server
