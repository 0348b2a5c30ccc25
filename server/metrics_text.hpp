// Prometheus' text format, as far as it can go wrong.
#pragma once

#include <string>
#include <string_view>

namespace tenancy::server {

/// name="value" with backslash, quote and newline escaped (exposition format 0.0.4).
inline std::string metrics_label(std::string_view name, std::string_view value) {
    std::string text(name);
    text += "=\"";
    for (const char c : value) {
        if (c == '\n') {
            text += "\\n";
            continue;
        }
        if (c == '\\' || c == '"')
            text += '\\';
        text += c;
    }
    return text + '"';
}

} // namespace tenancy::server
