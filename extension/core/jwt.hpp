// The compact serialization: finds the parts of a token and trusts none of them.
#pragma once

#include "core/pure.hpp"

#include "core/result.hpp"

#include <string_view>

namespace tenancy::core {

/// Views into the token, still encoded.
struct TokenParts {
    std::string_view header;
    std::string_view payload;
    std::string_view signature;
    std::string_view signed_bytes; // RFC 7515 section 5.1: header, '.', payload as received
};

/// Splits a compact JWS (RFC 7515 section 7.1) of at most kMaxTokenBytes into three non-empty
/// parts. Errors: token_missing, token_too_large, token_json_serialization, token_encrypted (five
/// parts, RFC 7516), token_malformed.
Result<TokenParts> split_token(std::string_view token);

} // namespace tenancy::core
