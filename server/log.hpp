// One JSON object per line on standard error. What is logged is chosen field by field by the
// caller: bodies, tokens and keys have no way in.
#pragma once

#include <chrono>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tenancy::server {

enum class LogLevel { debug, info, warn, error };

/// One member of the line: a name and its JSON text (use the log_* makers below).
using LogField = std::pair<std::string_view, std::string>;

/// Makes the JSON text of a value. Bytes that are not UTF-8 are replaced, long text is cut at 256.
LogField log_text(std::string_view name, std::string_view value);
LogField log_number(std::string_view name, long long value);
LogField log_number(std::string_view name, double value);

/// Sets what is written from here on; `debug` writes everything.
void log_set_level(LogLevel level);

/// Writes {"time":...,"level":...,"event":<event>,<fields>...}. Safe from any thread, never throws.
void log_event(LogLevel level, std::string_view event,
               std::initializer_list<LogField> fields = {}) noexcept;

/// The same from a list that was put together.
void log_line(LogLevel level, std::string_view event, const std::vector<LogField> &fields) noexcept;

/// A line about a request: ids first, then when it must be done, then `more`. Who has the members
/// of RequestContext that are named here.
template <typename Who>
void log_of(const Who &who, LogLevel level, std::string_view event,
            std::initializer_list<LogField> more) {
    const std::chrono::duration<double, std::milli> left =
        who.deadline - std::chrono::steady_clock::now();
    std::vector<LogField> fields = {
        log_text("request_id", who.request_id),
        log_text("tenant", who.tenant),
        log_text("subject", who.subject),
        log_text("trace_id", who.trace_id),
        log_text("otel_trace_id", who.otel_trace_id),
        log_text("span_id", who.span_id),
        log_number("deadline_in_ms", static_cast<long long>(left.count()))};
    fields.insert(fields.end(), more);
    log_line(level, event, fields);
}

} // namespace tenancy::server
