// One JSON object per line on standard error. What is logged is chosen field by field by the
// caller: bodies, tokens and keys have no way in.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

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

} // namespace tenancy::server
