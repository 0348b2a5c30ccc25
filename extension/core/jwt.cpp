#include "core/jwt.hpp"

#include "core/verify.hpp"

#include <algorithm>

namespace tenancy::core {

Result<TokenParts> split_token(std::string_view token) {
    if (token.empty())
        return Code::token_missing;
    if (token.size() > kMaxTokenBytes)
        return Code::token_too_large;
    if (token.front() == '{')
        return Code::token_json_serialization;
    const auto dots = std::count(token.begin(), token.end(), '.');
    if (dots == 4)
        return Code::token_encrypted;
    if (dots != 2)
        return Code::token_malformed;
    const std::size_t first = token.find('.');
    const std::size_t second = token.rfind('.');
    const TokenParts parts{token.substr(0, first), token.substr(first + 1, second - first - 1),
                           token.substr(second + 1), token.substr(0, second)};
    if (parts.header.empty() || parts.payload.empty() || parts.signature.empty())
        return Code::token_malformed;
    return parts;
}

} // namespace tenancy::core
