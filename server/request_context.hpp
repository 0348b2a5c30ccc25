// What is known about one request, filled in from stage to stage and passed along by reference.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "settings.hpp"

namespace tenancy::server {

struct RequestContext {
    SettingsPointer settings; // as they were when the request came
    std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
    std::string request_id;
    std::string traceparent;                        // the client's, valid, or empty
    std::string otel_trace_id;                      // 32 hex digits: the client's, or our own
    std::string parent_span_id;                     // 16 hex digits from traceparent, or empty
    std::string span_id;                            // of this request, 16 hex digits
    bool is_sampled = true;                         // as the client's traceparent says
    std::chrono::steady_clock::time_point deadline; // of all of it but sending the answer
    std::string_view token;                         // points into the request; never logged
    std::optional<std::string> x_tenant;            // claimed by the client, judged by the database
    std::optional<std::string> x_auth_subject;      // likewise
    std::string_view route_pattern = "(none)"; // static text: bounded label for logs and metrics
    std::string_view method = "(other)";       // static text, likewise
    std::string tenant;                        // as the database verified it
    std::string subject;                       // likewise
    std::string trace_id;                      // of a chat turn
    std::string sqlstate;                      // of a failed statement, for the access log
    std::string_view rejection;                // static kind of limit that refused, or empty
    std::string_view refusal;                  // static code of a refusal made by this server
};

} // namespace tenancy::server
