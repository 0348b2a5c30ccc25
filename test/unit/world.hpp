// The world most tests start from: two issuers with keys, one clock, one good token.
#pragma once

#include "codes.hpp"
#include "signer.hpp"

#include "core/base64url.hpp"
#include "core/verify.hpp"

#include <cstdint>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace tenancy::test {

using core::Code;
using Json = nlohmann::json;

inline constexpr std::int64_t kNow = 1'700'000'000; // seconds
inline constexpr std::int64_t kSecond = 1'000'000;  // microseconds

/// One library context for all tests of the process.
const core::Crypto &crypto();

/// Why a Result failed, `ok` when it did not.
template <class T>
Code why(const core::Result<T> &result) {
    return result.error();
}

/// Issuer A has keys "es" and "rs" (ES256, RS256), issuer B has its own key, also named "es".
class World : public ::testing::Test {
protected:
    static constexpr const char *kIssuerA = "https://a.example/";
    static constexpr const char *kIssuerB = "https://b.example/";

    World();

    /// Puts the policy of issuer A into force, with fresh keys.
    void apply(core::IssuerPolicy policy);
    static core::IssuerPolicy policy(std::string_view issuer = kIssuerA);

    /// Good header and claims, to be changed by the test.
    static Json header(std::string_view algorithm = "ES256");
    static Json claims();

    /// Signs with A's key for the algorithm named in the header.
    static std::string token(const Json &header, const Json &claims);
    static std::string token(const Json &claims) { return token(header(), claims); }
    /// The same with the texts as given, for what a JSON library would not write.
    static std::string raw_token(std::string_view header, std::string_view claims);

    core::Result<core::Verified> verify(std::string_view token) const {
        return core::verify(crypto(), issuers_, token, now_us_);
    }
    /// The verdict on `token`: `ok` or the reason for its refusal.
    Code verdict(std::string_view token) const { return verify(token).error(); }
    Code verdict_on_claims(const Json &claims) const { return verdict(token(claims)); }
    Code verdict_on_header(const Json &header) const { return verdict(token(header, claims())); }
    /// The verdict on good claims in which `name` has the given JSON text as its value.
    Code verdict_with(std::string_view name, std::string_view json_value) const;

    core::IssuerSet issuers_;
    std::int64_t now_us_ = kNow * kSecond;
};

} // namespace tenancy::test
