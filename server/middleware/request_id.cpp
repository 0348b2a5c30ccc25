#include "middleware.hpp"

#include <algorithm>

#include "../random_id.hpp"

namespace tenancy::server {

namespace {

bool is_request_id(std::string_view id) {
    return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == '-';
    });
}

bool is_lower_hex(std::string_view text) {
    return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_all_zero(std::string_view text) {
    return text.find_first_not_of('0') == std::string_view::npos;
}

// W3C Trace Context, section 3.2: version-trace id-parent id-flags in lower case, ids not all zero.
// Versions after 00 may have more behind a further dash; ff is none.
bool is_traceparent(std::string_view value) {
    if (value.size() < 55 || value[2] != '-' || value[35] != '-' || value[52] != '-')
        return false;
    const std::string_view version = value.substr(0, 2);
    const std::string_view trace = value.substr(3, 32);
    const std::string_view parent = value.substr(36, 16);
    const bool has_right_end = value.size() == 55 || (version != "00" && value[55] == '-');
    return is_lower_hex(version) && version != "ff" && has_right_end && is_lower_hex(trace) &&
           !is_all_zero(trace) && is_lower_hex(parent) && !is_all_zero(parent) &&
           is_lower_hex(value.substr(53, 2));
}

// A header that came twice or is not valid is as if there were none.
void join_trace(RequestContext &context, const Request &request) {
    context.span_id = random_hex(8);
    const auto parent = request.headers.find("traceparent");
    if (!parent || request.headers.count("traceparent") != 1 || !is_traceparent(*parent)) {
        context.otel_trace_id = random_hex(16);
        return;
    }
    context.traceparent = *parent;
    context.otel_trace_id = parent->substr(3, 32);
    context.parent_span_id = parent->substr(36, 16);
    constexpr std::string_view kOdd = "13579bdf"; // the lowest bit of the flags
    context.is_sampled = kOdd.find((*parent)[54]) != std::string_view::npos;
}

} // namespace

void assign_request_id(RequestContext &context, const Request &request) {
    const auto inbound = request.headers.find("X-Request-ID");
    const bool usable =
        inbound && is_request_id(*inbound) && request.headers.count("X-Request-ID") == 1;
    context.request_id = usable ? std::string(*inbound) : "req_" + random_hex(12);
    join_trace(context, request);
}

} // namespace tenancy::server
