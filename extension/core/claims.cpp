#include "core/claims.hpp"

#include "core/json.hpp"
#include "core/numeric_date.hpp"
#include "core/skim.hpp"
#include "core/tenant.hpp"
#include "core/utf8.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace tenancy::core {
namespace {

constexpr std::int64_t kMicroseconds = 1'000'000;
constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kMaxNameBytes = 255;
constexpr std::size_t kMaxSpelledIssuerBytes =
    std::size_t{6} * 512; // the longest issuer, all of it in escapes

Code take_string(std::optional<std::string> &claim, const JsonValue &value, Code malformed) {
    if (!value.is_string())
        return malformed;
    claim.emplace(value.text);
    return Code::ok;
}

Code take_name(std::optional<std::string> &claim, const JsonValue &value, Code malformed) {
    if (!value.is_string() || !is_plain_text(value.text, kMaxNameBytes))
        return malformed;
    return take_string(claim, value, malformed);
}

Code take_time(std::optional<std::int64_t> &claim, const JsonValue &value, Code malformed) {
    claim = numeric_date_us(value);
    return claim ? Code::ok : malformed;
}

// Providers write nbf 0 and iat 0 for "from ever" (RFC 7519 section 2 allows it); a token that ends
// when time begins is no token.
Code take_expiry(Claims &claims, const JsonValue &value) {
    const Code why = take_time(claims.expires_us, value, Code::expiry_malformed);
    return why == Code::ok && *claims.expires_us == 0 ? Code::expiry_malformed : why;
}

Code take_audience(Claims &claims, const JsonValue &value) {
    claims.audiences.emplace();
    if (value.is_string())
        claims.audiences->emplace_back(value.text);
    else if (value.kind != JsonValue::Kind::array)
        return Code::audience_malformed;
    return Code::ok;
}

// RFC 9068 section 4, RFC 8725 section 3.12: claims that only other kinds of token have.
bool is_of_other_kind(std::string_view name) {
    return name == "nonce" || name == "at_hash" || name == "c_hash" || name == "events" ||
           name == "htm" || name == "htu" || name == "ath";
}

Code take_member(Claims &claims, std::string_view name, const JsonValue &value) {
    if (name == "iss")
        return take_string(claims.issuer, value, Code::issuer_malformed);
    if (name == "sub")
        return take_name(claims.subject, value, Code::subject_malformed);
    if (name == "aud")
        return take_audience(claims, value);
    if (name == "azp")
        return take_string(claims.authorized_party, value, Code::authorized_party_malformed);
    if (name == "jti")
        return take_name(claims.token_id, value, Code::token_id_malformed);
    if (name == "exp")
        return take_expiry(claims, value);
    if (name == "nbf")
        return take_time(claims.not_before_us, value, Code::not_before_malformed);
    if (name == "iat")
        return take_time(claims.issued_at_us, value, Code::issued_at_malformed);
    claims.is_sender_constrained = claims.is_sender_constrained || name == "cnf";
    claims.is_other_kind = claims.is_other_kind || is_of_other_kind(name);
    return Code::ok;
}

Code take(Claims &claims, const ClaimPath &tenant_path, const JsonPlace &place,
          const JsonValue &value) {
    if (!claims.has_tenant && tenant_path.leads_to(place.encoded())) {
        claims.has_tenant = true;
        if (value.is_string())
            claims.tenant.emplace(value.text);
    }
    if (place.depth() == 1)
        return take_member(claims, place.name(0), value);
    if (place.depth() == 2 && place.name(0) == "aud") {
        if (!value.is_string())
            return Code::audience_malformed;
        claims.audiences->emplace_back(value.text);
    }
    return Code::ok;
}

bool is_one_of(const std::vector<std::string> &list, std::string_view name) {
    return std::find(list.begin(), list.end(), name) != list.end();
}

Code check_audience(const IssuerPolicy &policy, const Claims &claims) {
    if (!claims.audiences)
        return policy.require_audience ? Code::audience_missing : Code::ok;
    const bool is_for_us =
        std::any_of(claims.audiences->begin(), claims.audiences->end(),
                    [&policy](const auto &name) { return is_one_of(policy.audiences, name); });
    return is_for_us ? Code::ok : Code::audience_not_accepted;
}

Code check_parties(const IssuerPolicy &policy, const Claims &claims) {
    if (policy.require_subject && !claims.subject)
        return Code::subject_missing;
    if (policy.authorized_parties.empty())
        return Code::ok;
    if (!claims.authorized_party)
        return Code::authorized_party_missing;
    return is_one_of(policy.authorized_parties, *claims.authorized_party)
               ? Code::ok
               : Code::authorized_party_not_accepted;
}

// Limits in seconds come from an administrator and may be absurd: saturate instead of overflowing.
std::int64_t seconds_to_us(std::int64_t seconds) {
    return seconds > kForever / kMicroseconds ? kForever : seconds * kMicroseconds;
}

std::int64_t add_saturated(std::int64_t a, std::int64_t b) {
    return a > kForever - b ? kForever : a + b;
}

std::int64_t leeway_of(const IssuerPolicy &policy) {
    return std::clamp<std::int64_t>(policy.leeway_seconds, 0, kMaxLeewaySeconds) * kMicroseconds;
}

Result<Window> check_times(const IssuerPolicy &policy, const Claims &claims, std::int64_t now_us) {
    const std::int64_t leeway_us = leeway_of(policy);
    if (!claims.expires_us)
        return Code::expiry_missing;
    Window window{std::numeric_limits<std::int64_t>::min(), *claims.expires_us + leeway_us};
    if (now_us >= window.until_us)
        return Code::token_expired;
    if (claims.not_before_us)
        window.from_us = *claims.not_before_us - leeway_us;
    if (now_us < window.from_us)
        return Code::token_not_yet_valid;
    if (!claims.issued_at_us) {
        const bool is_needed = policy.max_age_seconds > 0 || policy.max_lifetime_seconds > 0;
        return is_needed ? Result<Window>(Code::issued_at_missing) : window;
    }
    const std::int64_t issued_us = *claims.issued_at_us;
    if (now_us < issued_us - leeway_us)
        return Code::issued_in_future;
    window.from_us = std::max(window.from_us, issued_us - leeway_us);
    if (policy.max_lifetime_seconds > 0 &&
        *claims.expires_us - issued_us > seconds_to_us(policy.max_lifetime_seconds))
        return Code::lifetime_too_long;
    if (policy.max_age_seconds > 0) {
        // An age equal to the limit is still good, so the first moment refused is one later.
        const std::int64_t last_us =
            add_saturated(issued_us + leeway_us, seconds_to_us(policy.max_age_seconds));
        if (now_us > last_us)
            return Code::token_too_old;
        window.until_us = std::min(window.until_us, add_saturated(last_us, 1));
    }
    return window;
}

Result<std::string> read_issuer(std::string_view json) {
    std::optional<std::string> issuer;
    const Code why = read_json_object(
        json, kTokenJson, [&issuer](const JsonPlace &place, const JsonValue &value) {
            return place.is_member("iss") ? take_string(issuer, value, Code::issuer_malformed)
                                          : Code::ok;
        });
    if (why != Code::ok)
        return why;
    return issuer ? Result<std::string>(*std::move(issuer)) : Code::issuer_missing;
}

} // namespace

Result<std::string> claimed_issuer(std::string_view json) {
    const auto quick = skim_string(json, "iss");
    if (quick && quick->find('\\') == std::string_view::npos)
        return std::string(*quick);
    if (quick && quick->size() <= kMaxSpelledIssuerBytes)
        return read_issuer(R"({"iss":")" + std::string(*quick) + R"("})");
    // Good claims of this size whose issuer would be accepted do not come here: for all others a
    // parse would only find a more exact reason, and be dearer than a signature check.
    return json.size() > kLargeClaimsBytes ? Code::issuer_missing : read_issuer(json);
}

bool is_surely_expired(const IssuerPolicy &policy, std::string_view json, std::int64_t now_us) {
    const auto expiry = skim_integer(json, "exp");
    return expiry && *expiry > 0 && *expiry < (now_us - leeway_of(policy)) / kMicroseconds;
}

Result<Claims> parse_claims(std::string_view json, const ClaimPath &tenant_path) {
    Claims claims;
    const Code why =
        read_json_object(json, kTokenJson, [&](const JsonPlace &place, const JsonValue &value) {
            return take(claims, tenant_path, place, value);
        });
    if (why != Code::ok)
        return why;
    if (claims.audiences && claims.audiences->empty())
        return Code::audience_malformed;
    return claims;
}

Result<Window> check_claims(const IssuerPolicy &policy, const Claims &claims, std::int64_t now_us) {
    const Result<Window> window = check_times(policy, claims, now_us);
    if (!window)
        return window.error();
    if (const Code why = check_audience(policy, claims); why != Code::ok)
        return why;
    if (const Code why = check_parties(policy, claims); why != Code::ok)
        return why;
    if (policy.one_time && !claims.token_id)
        return Code::token_id_missing;
    if (claims.is_sender_constrained)
        return Code::sender_constrained;
    if (policy.typ == TypRule::access_token && claims.is_other_kind)
        return Code::wrong_token_kind;
    return window;
}

Result<std::string> tenant_of(const Claims &claims) {
    if (!claims.has_tenant)
        return Code::tenant_claim_missing;
    if (!claims.tenant || check_claim_value(*claims.tenant) != Code::ok)
        return Code::tenant_claim_malformed;
    return *claims.tenant;
}

} // namespace tenancy::core
