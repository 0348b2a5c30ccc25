#include "core/jwk_members.hpp"

#include "core/base64url.hpp"
#include "core/utf8.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace tenancy::core {
namespace {

constexpr std::size_t kMaxKidBytes = 256;

// RFC 7518 sections 6.2.2, 6.3.2, 6.4.1, and the seed of ML-DSA keys.
bool is_private_member(std::string_view name) {
    constexpr std::array<std::string_view, 9> kPrivate = {"d",  "p",   "q", "dp",  "dq",
                                                          "qi", "oth", "k", "priv"};
    return std::find(kPrivate.begin(), kPrivate.end(), name) != kPrivate.end();
}

} // namespace

JwkMembers::Member *JwkMembers::member_of(std::string_view name) {
    const std::array<std::pair<std::string_view, Member *>, 9> members = {{{"kty", &kty_},
                                                                           {"kid", &kid_},
                                                                           {"use", &use_},
                                                                           {"alg", &alg_},
                                                                           {"crv", &crv_},
                                                                           {"x", &x_},
                                                                           {"y", &y_},
                                                                           {"n", &n_},
                                                                           {"e", &e_}}};
    for (const auto &[known, member] : members)
        if (known == name)
            return member;
    return nullptr;
}

void JwkMembers::take_member(std::string_view name, const JsonValue &value) {
    has_private_ = has_private_ || is_private_member(name);
    if (name == "key_ops") {
        key_ops_.emplace();
        has_wrong_type_ = has_wrong_type_ || value.kind != JsonValue::Kind::array;
    } else if (Member *member = member_of(name); member != nullptr) {
        if (value.is_string())
            member->emplace(value.text);
        else
            has_wrong_type_ = true;
    }
}

void JwkMembers::take(std::size_t level, const JsonPlace &place, const JsonValue &value) {
    if (place.depth() == level + 1) {
        take_member(place.name(level), value);
    } else if (place.depth() == level + 2 && place.name(level) == "key_ops" && key_ops_) {
        // RFC 7517 section 4.3: strings, none of them twice.
        const bool is_new =
            std::find(key_ops_->begin(), key_ops_->end(), value.text) == key_ops_->end();
        if (value.is_string() && is_new)
            key_ops_->emplace_back(value.text);
        else
            has_wrong_type_ = true;
    }
}

std::optional<std::string_view> JwkMembers::usable_kid() const {
    if (!kid_ || !is_plain_text(*kid_, kMaxKidBytes))
        return std::nullopt;
    return *kid_;
}

Code JwkMembers::check_is_public() const {
    if (kty_ == "oct")
        return Code::key_symmetric;
    return has_private_ ? Code::key_private : Code::ok;
}

Code JwkMembers::check_purpose() const {
    if (use_ && *use_ != "sig")
        return Code::key_not_for_signatures;
    if (key_ops_ && std::find(key_ops_->begin(), key_ops_->end(), "verify") == key_ops_->end())
        return Code::key_not_for_signatures;
    const Algorithm natural = kty_ == "EC" ? Algorithm::es256 : Algorithm::rs256;
    if (alg_ && *alg_ != algorithm_name(natural))
        return Code::key_algorithm_unsupported;
    return Code::ok;
}

Result<Jwk> JwkMembers::to_jwk(const Crypto &crypto) const {
    if (const Code why = check_is_public(); why != Code::ok)
        return why;
    if (has_wrong_type_ || !kty_ || (kid_ && !usable_kid()))
        return Code::key_malformed;
    if (kty_ != "EC" && kty_ != "RSA")
        return Code::key_type_unsupported;
    if (const Code why = check_purpose(); why != Code::ok)
        return why;
    return kty_ == "EC" ? to_ec(crypto) : to_rsa(crypto);
}

Result<Jwk> JwkMembers::to_ec(const Crypto &crypto) const {
    if (crv_ != "P-256")
        return Code::key_curve_unsupported;
    if (!x_ || !y_)
        return Code::key_malformed;
    const Result<std::string> x = base64url_decode(*x_);
    const Result<std::string> y = base64url_decode(*y_);
    if (!x || !y)
        return Code::key_malformed;
    Result<PublicKey> key = PublicKey::ec_p256(crypto, *x, *y);
    if (!key)
        return key.error();
    return finish(crypto, std::move(*key),
                  R"({"crv":"P-256","kty":"EC","x":")" + *x_ + R"(","y":")" + *y_ + R"("})");
}

Result<Jwk> JwkMembers::to_rsa(const Crypto &crypto) const {
    if (!n_ || !e_)
        return Code::key_malformed;
    const Result<std::string> n = base64url_decode(*n_);
    const Result<std::string> e = base64url_decode(*e_);
    if (!n || !e)
        return Code::key_malformed;
    Result<PublicKey> key = PublicKey::rsa(crypto, *n, *e);
    if (!key)
        return key.error();
    return finish(crypto, std::move(*key),
                  R"({"e":")" + *e_ + R"(","kty":"RSA","n":")" + *n_ + R"("})");
}

// The members are canonical base64url by now, so the text needs no escaping and has one spelling.
Result<Jwk> JwkMembers::finish(const Crypto &crypto, PublicKey key, std::string canonical) const {
    const Result<Sha256> digest = crypto.sha256(canonical);
    if (!digest)
        return digest.error();
    const Algorithm algorithm = key.algorithm();
    return Jwk{kid_.value_or(""), algorithm, std::move(canonical),
               base64url_encode(view_of(digest->data(), digest->size())), std::move(key)};
}

} // namespace tenancy::core
