// Addresses that keys may come from.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tenancy::server::keys {

struct Url {
    std::string origin; // scheme, host and port
    std::string path;   // with the query; begins with '/'
};

/// An absolute https URL; http only for this machine itself (127.0.0.1, ::1, localhost). Nothing
/// for anything else, for user names, fragments, and characters that have no business in a URL.
std::optional<Url> parse_key_url(std::string_view text);

} // namespace tenancy::server::keys
