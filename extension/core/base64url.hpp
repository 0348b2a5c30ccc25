// base64url without padding (RFC 7515 appendix C), one spelling per byte string.
#pragma once

#include "core/pure.hpp"

#include "core/result.hpp"

#include <string>
#include <string_view>

namespace tenancy::core {

/// Decodes `text`. Ensures that it is the only spelling of the result: refuses padding, white
/// space,
/// '+', '/', any other foreign byte, a length of 1 modulo 4 and non-zero unused bits at the end.
/// The empty text decodes to the empty string. Error: base64url_malformed.
Result<std::string> base64url_decode(std::string_view text);

/// Encodes `bytes` without padding. Inverse of base64url_decode.
std::string base64url_encode(std::string_view bytes);

} // namespace tenancy::core
