#include "otlp.hpp"

#include <nlohmann/json.hpp>

namespace tenancy::server {

namespace {

using nlohmann::ordered_json;

// 64-bit numbers are texts in this encoding.
ordered_json value_of(const Span::Value &value) {
    if (const auto *number = std::get_if<long long>(&value))
        return {{"intValue", std::to_string(*number)}};
    return {{"stringValue", std::get<std::string>(value)}};
}

template <typename Pairs>
ordered_json attributes_of(const Pairs &pairs) {
    ordered_json list = ordered_json::array();
    for (const auto &[key, value] : pairs)
        if (const Span::Value given = value; given != Span::Value(std::string()))
            list.push_back({{"key", key}, {"value", value_of(given)}});
    return list;
}

std::string unix_nanoseconds(Span::Time time) {
    const auto wall = std::chrono::system_clock::now() -
                      std::chrono::duration_cast<std::chrono::system_clock::duration>(
                          std::chrono::steady_clock::now() - time);
    return std::to_string(
        std::chrono::duration_cast<std::chrono::nanoseconds>(wall.time_since_epoch()).count());
}

ordered_json json_of(const Span &span) {
    ordered_json json = {{"traceId", span.trace_id}, {"spanId", span.span_id}};
    if (!span.parent_span_id.empty())
        json["parentSpanId"] = span.parent_span_id;
    json["name"] = span.name;
    json["kind"] = static_cast<int>(span.kind);
    json["startTimeUnixNano"] = unix_nanoseconds(span.start);
    json["endTimeUnixNano"] = unix_nanoseconds(span.end);
    json["attributes"] = attributes_of(span.attributes);
    json["status"] = ordered_json::object();
    if (span.has_failed)
        json["status"]["code"] = 2; // STATUS_CODE_ERROR
    return json;
}

} // namespace

std::string otlp_body(const Resource &resource, const std::vector<Span> &spans) {
    ordered_json list = ordered_json::array();
    for (const Span &span : spans)
        list.push_back(json_of(span));
    const ordered_json scope = {{"scope", {{"name", "tenancyd"}}}, {"spans", std::move(list)}};
    const ordered_json body = {
        {"resourceSpans",
         ordered_json::array({{{"resource", {{"attributes", attributes_of(resource)}}},
                               {"scopeSpans", ordered_json::array({scope})}}})}};
    return body.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

} // namespace tenancy::server
