#include "safe_url.hpp"

#include <algorithm>

namespace tenancy::server {

namespace {

constexpr std::size_t kMaxBytes = 2048;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_host_char(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
}

bool is_url_char(char c) {
    return c > ' ' && c <= '~' && c != '#' && c != '"' && c != '<' && c != '>' && c != '\\';
}

bool take(std::string_view &text, std::string_view prefix) {
    if (text.substr(0, prefix.size()) != prefix)
        return false;
    text.remove_prefix(prefix.size());
    return true;
}

// Nothing, or a colon and a number.
bool is_port(std::string_view text) {
    if (text.empty())
        return true;
    return take(text, ":") && !text.empty() && text.size() <= 5 &&
           std::all_of(text.begin(), text.end(), is_digit);
}

} // namespace

std::optional<Url> parse_safe_url(std::string_view text) {
    if (text.size() > kMaxBytes || !std::all_of(text.begin(), text.end(), is_url_char))
        return std::nullopt;
    std::string_view rest = text;
    const bool is_tls = take(rest, "https://");
    if (!is_tls && !take(rest, "http://"))
        return std::nullopt;
    const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
    const bool is_v6 = authority.substr(0, 5) == "[::1]";
    const std::string_view host =
        is_v6 ? authority.substr(0, 5) : authority.substr(0, authority.find(':'));
    const std::string_view port = authority.substr(host.size());
    if (host.empty() || (!is_v6 && !std::all_of(host.begin(), host.end(), is_host_char)) ||
        !is_port(port))
        return std::nullopt;
    if (!is_tls && !is_v6 && host != "127.0.0.1" && host != "localhost")
        return std::nullopt;
    rest.remove_prefix(authority.size());
    const std::string path = rest.substr(0, 1) == "/" ? std::string(rest) : "/" + std::string(rest);
    return Url{std::string(text.substr(0, text.size() - rest.size())), path};
}

} // namespace tenancy::server
