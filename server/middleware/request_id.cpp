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

// W3C Trace Context level 1, version 00: 00-<32 hex>-<16 hex>-<2 hex>, ids not all zero.
bool is_traceparent(std::string_view value) {
    if (value.size() != 55 || value[2] != '-' || value[35] != '-' || value[52] != '-')
        return false;
    const std::string_view trace = value.substr(3, 32);
    const std::string_view parent = value.substr(36, 16);
    return value.substr(0, 2) == "00" && is_lower_hex(trace) && !is_all_zero(trace) &&
           is_lower_hex(parent) && !is_all_zero(parent) && is_lower_hex(value.substr(53));
}

} // namespace

void assign_request_id(RequestContext &context, const Request &request) {
    const auto inbound = request.headers.find("X-Request-ID");
    const bool usable =
        inbound && is_request_id(*inbound) && request.headers.count("X-Request-ID") == 1;
    context.request_id = usable ? std::string(*inbound) : "req_" + random_hex(12);
    const auto parent = request.headers.find("traceparent");
    if (parent && request.headers.count("traceparent") == 1 && is_traceparent(*parent))
        context.traceparent = *parent;
}

} // namespace tenancy::server
