// Where a Valkey is, from the URL in the configuration.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "../secret.hpp"

namespace tenancy::server::rate {

struct ValkeyAddress {
    std::string host = "127.0.0.1";
    int port = 6379;
    std::string socket; // path of a Unix socket; empty: host and port
    std::string user;   // empty: the default user
    Secret password;    // empty: no AUTH
    int database = 0;
    bool operator==(const ValkeyAddress &) const = default;
};

/// Reads redis://[[user]:password@]host[:port][/db] (or valkey://), or
/// unix://[[user]:password@]/path[?db=N]. User and password are percent-decoded, an IPv6 address is
/// in brackets. Else a sentence that says what is wrong and shows nothing of the text.
std::variant<ValkeyAddress, std::string> parse_valkey_url(std::string_view url);

} // namespace tenancy::server::rate
