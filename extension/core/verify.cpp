#include "core/verify.hpp"

#include "core/base64url.hpp"
#include "core/claims.hpp"
#include "core/header.hpp"
#include "core/jwt.hpp"
#include "core/signature.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace tenancy::core {
namespace {

// Encoded: a kid of 256 escaped characters fits several times, an attacker's novel does not.
constexpr std::size_t kMaxHeaderBytes = 4096;
constexpr std::size_t kMaxSignatureBytes = 1366; // encoded, of an RSA modulus of 8192 bits

Result<Header> read_header(std::string_view encoded) {
    if (encoded.size() > kMaxHeaderBytes)
        return Code::header_too_large;
    const Result<std::string> json = base64url_decode(encoded);
    return json ? parse_header(*json) : Result<Header>(json.error());
}

Result<const Issuer *> find_issuer(const IssuerSet &issuers, std::string_view payload) {
    const Result<std::string> name = claimed_issuer(payload);
    if (!name)
        return name.error();
    const Issuer *issuer = issuers.find(*name);
    if (issuer == nullptr)
        return Code::issuer_unknown;
    return issuer;
}

// With a kid: the one key of that name. Without: the one key of that algorithm, if the policy
// allows. Never a second try with another key.
Result<const TrustedKey *> choose_key(const Issuer &issuer, const Header &header,
                                      std::int64_t now_us) {
    if (!header.kid && issuer.policy.require_kid)
        return Code::kid_missing;
    const TrustedKey *chosen = nullptr;
    bool was_named = false;
    for (const TrustedKey &key : issuer.keys) {
        const bool fits = header.kid ? key.kid == *header.kid : key.algorithm == header.algorithm;
        if (!fits)
            continue;
        was_named = true;
        if (now_us < key.valid_from_us || now_us >= key.valid_until_us)
            continue;
        if (chosen != nullptr)
            return Code::key_ambiguous;
        chosen = &key;
    }
    if (chosen == nullptr)
        return was_named ? Code::key_not_valid_now : Code::kid_unknown;
    if (chosen->algorithm != header.algorithm)
        return Code::algorithm_mismatch;
    return chosen;
}

Code check_token_signature(const Crypto &crypto, const TrustedKey &key, Algorithm algorithm,
                           const TokenParts &parts) {
    const Result<std::string> signature = base64url_decode(parts.signature);
    if (!signature)
        return signature.error();
    return check_signature(crypto, key.key, algorithm, parts.signed_bytes, *signature);
}

// What the claims say, once the issuer and the key are known.
struct Statement {
    Claims claims;
    Window window;
    std::string tenant;
};

Result<Statement> read_statement(const IssuerPolicy &policy, std::string_view payload,
                                 std::int64_t now_us) {
    Result<Claims> claims = parse_claims(payload, policy.tenant_claim);
    if (!claims)
        return claims.error();
    if (claims->issuer != policy.issuer) // the quick look was wrong
        return Code::issuer_malformed;
    const Result<Window> window = check_claims(policy, *claims, now_us);
    if (!window)
        return window.error();
    Result<std::string> tenant = tenant_of(*claims);
    if (!tenant)
        return tenant.error();
    return Statement{*std::move(claims), *window, *std::move(tenant)};
}

Verified make_verified(const Issuer &issuer, const TrustedKey &key, Statement statement) {
    Claims &claims = statement.claims;
    const Window &window = statement.window;
    Verified verified;
    verified.issuer = &issuer;
    verified.key = &key;
    verified.tenant_claim = std::move(statement.tenant);
    verified.subject = std::move(claims.subject).value_or("");
    verified.token_id = std::move(claims.token_id).value_or("");
    verified.key_id = key.kid;
    verified.not_before_us = std::max(window.from_us, key.valid_from_us);
    verified.expires_us = std::min(window.until_us, key.valid_until_us);
    verified.token_expires_us = claims.expires_us.value_or(0);
    verified.issued_at_us = claims.issued_at_us.value_or(std::numeric_limits<std::int64_t>::min());
    return verified;
}

} // namespace

Result<Verified> verify(const Crypto &crypto, const IssuerSet &issuers, std::string_view token,
                        std::int64_t now_us) {
    const Result<TokenParts> parts = split_token(token);
    if (!parts)
        return parts.error();
    const Result<Header> header = read_header(parts->header);
    if (!header)
        return header.error();
    if (parts->signature.size() > kMaxSignatureBytes)
        return Code::signature_invalid;
    const Result<std::string> payload = base64url_decode(parts->payload);
    if (!payload)
        return payload.error();
    const Result<const Issuer *> issuer = find_issuer(issuers, *payload);
    if (!issuer)
        return issuer.error();
    const IssuerPolicy &policy = (*issuer)->policy;
    if (const Code why = check_header(policy, *header); why != Code::ok)
        return why;
    const Result<const TrustedKey *> key = choose_key(**issuer, *header, now_us);
    if (!key)
        return key.error();
    const auto check = [&] {
        return check_token_signature(crypto, **key, header->algorithm, *parts);
    };
    const bool is_signature_first = payload->size() > kLargeClaimsBytes;
    if (is_signature_first && is_surely_expired(policy, *payload, now_us))
        return Code::token_expired;
    if (const Code why = is_signature_first ? check() : Code::ok; why != Code::ok)
        return why;
    Result<Statement> statement = read_statement(policy, *payload, now_us);
    if (!statement)
        return statement.error();
    if (const Code why = is_signature_first ? Code::ok : check(); why != Code::ok)
        return why;
    return make_verified(**issuer, **key, *std::move(statement));
}

Result<const Issuer *> issuer_of(const IssuerSet &issuers, std::string_view token) {
    const Result<TokenParts> parts = split_token(token);
    if (!parts)
        return parts.error();
    const Result<std::string> payload = base64url_decode(parts->payload);
    return payload ? find_issuer(issuers, *payload) : Result<const Issuer *>(payload.error());
}

Result<std::string> payload_json(std::string_view token) {
    const Result<TokenParts> parts = split_token(token);
    if (!parts)
        return parts.error();
    return base64url_decode(parts->payload);
}

} // namespace tenancy::core
