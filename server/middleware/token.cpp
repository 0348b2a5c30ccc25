#include "middleware.hpp"

#include <algorithm>

namespace tenancy::server {

namespace {

constexpr std::size_t kMaxTokenBytes = 16384;

bool is_base64url(std::string_view part) {
    return !part.empty() && std::all_of(part.begin(), part.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_';
    });
}

bool is_compact_jws(std::string_view token) {
    const std::size_t first = token.find('.');
    const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
    return second != std::string_view::npos && is_base64url(token.substr(0, first)) &&
           is_base64url(token.substr(first + 1, second - first - 1)) &&
           is_base64url(token.substr(second + 1));
}

} // namespace

Refusal extract_token(RequestContext &context, const Request &request) {
    const std::size_t count = request.headers.count("Authorization");
    if (count == 0)
        return Code::no_token;
    if (count > 1)
        return Code::invalid_token;
    const std::string_view value = *request.headers.find("Authorization");
    constexpr std::string_view kScheme = "Bearer";
    if (value.size() <= kScheme.size() || value[kScheme.size()] != ' ' ||
        !equals_ignoring_case(value.substr(0, kScheme.size()), kScheme))
        return Code::no_token;
    const std::size_t start = value.find_first_not_of(' ', kScheme.size());
    const std::string_view token = start == std::string_view::npos ? "" : value.substr(start);
    if (token.size() > kMaxTokenBytes || !is_compact_jws(token))
        return Code::invalid_token;
    context.token = token;
    return std::nullopt;
}

} // namespace tenancy::server
