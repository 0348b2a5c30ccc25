#include "valkey_address.hpp"

#include <charconv>
#include <optional>

namespace tenancy::server::rate {

namespace {

constexpr int kMaxPort = 65535;
constexpr int kMaxDatabase = 1000000;
constexpr const char *kForm = "must be redis://[user:password@]host:port/db or "
                              "unix://[user:password@]/path/to/socket?db=N.";

// Cuts `text` at the first `mark` and gives what was before it; nothing when there is no mark.
std::optional<std::string_view> cut_before(std::string_view &text, std::string_view mark) {
    const std::size_t at = text.find(mark);
    if (at == std::string_view::npos)
        return std::nullopt;
    const std::string_view before = text.substr(0, at);
    text.remove_prefix(at + mark.size());
    return before;
}

std::optional<int> number_up_to(int most, std::string_view text) {
    int number = -1;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc() || end != text.data() + text.size() || number < 0 || number > most)
        return std::nullopt;
    return number;
}

// RFC 3986 section 2.1.
std::optional<std::string> percent_decoded(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        if (text.front() != '%') {
            out += text.front();
            text.remove_prefix(1);
            continue;
        }
        unsigned int byte = 0;
        const char *digits = text.data() + 1;
        if (text.size() < 3 || std::from_chars(digits, digits + 2, byte, 16).ptr != digits + 2)
            return std::nullopt;
        out += static_cast<char>(byte);
        text.remove_prefix(3);
    }
    return out;
}

// "user:password"; a password alone is ":password".
bool read_login(std::string_view login, ValkeyAddress &address) {
    const auto user = cut_before(login, ":");
    if (!user || login.empty())
        return false;
    const auto decoded_user = percent_decoded(*user);
    auto password = percent_decoded(login);
    if (!decoded_user || !password)
        return false;
    address.user = *decoded_user;
    address.password = Secret(std::move(*password));
    return true;
}

bool read_host(std::string_view text, ValkeyAddress &address) {
    std::string_view port;
    if (!text.empty() && text.front() == '[') {
        text.remove_prefix(1);
        const auto host = cut_before(text, "]");
        if (!host || (!text.empty() && text.front() != ':'))
            return false;
        address.host = *host;
        port = text.empty() ? text : text.substr(1);
    } else if (const auto host = cut_before(text, ":")) {
        address.host = *host;
        port = text;
    } else {
        address.host = text;
    }
    const auto number = port.empty() ? address.port : number_up_to(kMaxPort, port);
    address.port = number.value_or(0);
    return address.port > 0 && !address.host.empty();
}

bool read_database(std::string_view text, ValkeyAddress &address) {
    const auto number = text.empty() ? address.database : number_up_to(kMaxDatabase, text);
    address.database = number.value_or(0);
    return number.has_value();
}

bool read_socket(std::string_view text, ValkeyAddress &address) {
    const auto path = cut_before(text, "?db=");
    address.socket = path ? *path : text;
    return address.socket.size() > 1 && address.socket.front() == '/' &&
           address.socket.find('?') == std::string::npos && (!path || read_database(text, address));
}

bool read_network(std::string_view text, ValkeyAddress &address) {
    const auto host = cut_before(text, "/");
    return host ? read_host(*host, address) && read_database(text, address)
                : read_host(text, address);
}

} // namespace

std::variant<ValkeyAddress, std::string> parse_valkey_url(std::string_view url) {
    const std::string scheme(cut_before(url, "://").value_or(""));
    if (scheme == "rediss" || scheme == "valkeys")
        return "asks for TLS, which the client library of this server does not have. Use a socket, "
               "a trusted network or a tunnel, and redis://.";
    if (scheme != "redis" && scheme != "valkey" && scheme != "unix")
        return kForm;
    ValkeyAddress address;
    if (const std::size_t at = url.rfind('@'); at != std::string_view::npos) {
        if (!read_login(url.substr(0, at), address))
            return kForm;
        url.remove_prefix(at + 1);
    }
    if (!(scheme == "unix" ? read_socket(url, address) : read_network(url, address)))
        return kForm;
    return address;
}

} // namespace tenancy::server::rate
