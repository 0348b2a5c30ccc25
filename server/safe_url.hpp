// Addresses that may be trusted with secrets, or to tell the truth.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tenancy::server {

struct Url {
    std::string origin; // scheme, host and port
    std::string path;   // with the query; begins with '/'
};

/// An absolute https URL; http only for this machine itself (127.0.0.1, ::1, localhost). Nothing
/// for anything else, for user names, fragments, and characters that have no business in a URL.
std::optional<Url> parse_safe_url(std::string_view text);

} // namespace tenancy::server
