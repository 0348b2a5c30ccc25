// Spans, and their form in OTLP: the JSON encoding of an ExportTraceServiceRequest (OpenTelemetry
// protocol 1.x, "OTLP/HTTP, JSON Protobuf Encoding"). Pure but for the clocks that times are
// converted by.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace tenancy::server {

struct Span {
    enum class Kind { server = 2, client = 3 }; // OTLP's numbers
    using Time = std::chrono::steady_clock::time_point;
    using Value = std::variant<std::string, long long>;
    std::string trace_id;       // 32 hex digits
    std::string span_id;        // 16 hex digits
    std::string parent_span_id; // likewise, or empty
    std::string name;
    Kind kind = Kind::server;
    Time start;
    Time end;
    bool has_failed = false;
    std::vector<std::pair<std::string, Value>> attributes; // an empty text is left out
};

/// What the spans are of: service.name, service.instance.id ...; an empty text is left out.
using Resource = std::vector<std::pair<std::string, std::string>>;

/// The body of one export.
std::string otlp_body(const Resource &resource, const std::vector<Span> &spans);

} // namespace tenancy::server
