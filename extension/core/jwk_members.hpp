// The members of one JWK as they stand in the text, before any of them is believed.
#pragma once

#include "core/pure.hpp"

#include "core/json.hpp"
#include "core/jwk.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tenancy::core {

class JwkMembers {
public:
    /// Notes one value of the key object, whose members stand at depth `level` + 1.
    void take(std::size_t level, const JsonPlace &place, const JsonValue &value);

    /// kid when it is a usable one: 1..256 bytes without control characters.
    std::optional<std::string_view> usable_kid() const;
    const std::optional<std::string> &kid() const { return kid_; }
    /// key_symmetric or key_private when the key must not be published at all, else `ok`.
    Code check_is_public() const;
    /// The key, or the reason why it is not used. Errors: see parse_jwk.
    Result<Jwk> to_jwk(const Crypto &crypto) const;

private:
    using Member = std::optional<std::string>;

    void take_member(std::string_view name, const JsonValue &value);
    Member *member_of(std::string_view name);
    Code check_purpose() const;
    Result<Jwk> to_ec(const Crypto &crypto) const;
    Result<Jwk> to_rsa(const Crypto &crypto) const;
    Result<Jwk> finish(const Crypto &crypto, PublicKey key, std::string canonical) const;

    Member kty_, kid_, use_, alg_, crv_, x_, y_, n_, e_;
    std::optional<std::vector<std::string>> key_ops_;
    bool has_private_ = false;
    bool has_wrong_type_ = false;
};

} // namespace tenancy::core
