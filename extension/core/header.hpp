// The protected header of a token: what is read from it, and what is refused whoever the issuer is.
#pragma once

#include "core/pure.hpp"

#include "core/key.hpp"
#include "core/policy.hpp"
#include "core/result.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace tenancy::core {

struct Header {
    Algorithm algorithm;
    std::optional<std::string> kid; // 1..256 bytes without control characters
    std::optional<std::string> typ;
};

/// Parses the decoded header (RFC 7515 section 4.1). Refused in any value: crit, b64, zip, jwk,
/// jku, x5u, x5c. x5t, x5t#S256 and unknown members are ignored: a token picks a key by kid only.
/// Errors: json_*, algorithm_missing, algorithm_not_allowed, header_*, kid_malformed,
/// type_malformed.
Result<Header> parse_header(std::string_view json);

/// What the issuer's policy says about the header. Errors: algorithm_not_allowed,
/// type_not_accepted.
Code check_header(const IssuerPolicy &policy, const Header &header);

} // namespace tenancy::core
