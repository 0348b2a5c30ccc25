#include "core/code.hpp"

#include <array>
#include <cstddef>

namespace tenancy::core {
namespace {

struct Entry {
    Code code;
    const char *name;
    const char *text;
};

constexpr std::array<Entry, kCodeCount> kEntries = {{
    {Code::ok, "ok", "Nothing is wrong."},
    {Code::internal_error, "internal_error", "The program reached a state it should not reach."},
    {Code::out_of_memory, "out_of_memory", "Memory ran out."},
    {Code::crypto_unavailable, "crypto_unavailable",
     "OpenSSL could not provide an algorithm or an object that is needed."},
    {Code::fips_unavailable, "fips_unavailable",
     "A FIPS provider is required, and none is at work."},
    {Code::token_missing, "token_missing", "There is no token."},
    {Code::token_too_large, "token_too_large", "The token is longer than the limit."},
    {Code::token_malformed, "token_malformed", "The token is not three non-empty parts."},
    {Code::token_encrypted, "token_encrypted", "Encrypted tokens are not supported."},
    {Code::token_json_serialization, "token_json_serialization",
     "The JSON serialization of signatures is not supported."},
    {Code::base64url_malformed, "base64url_malformed",
     "A part is not base64url in its one canonical spelling."},
    {Code::json_malformed, "json_malformed", "The text is not one JSON value in UTF-8."},
    {Code::json_not_object, "json_not_object", "The JSON text is not an object."},
    {Code::json_nul_character, "json_nul_character", "The JSON text holds a NUL character."},
    {Code::json_duplicate_member, "json_duplicate_member",
     "A JSON object has two members of one name."},
    {Code::json_too_deep, "json_too_deep", "The JSON text is nested too deeply."},
    {Code::json_too_many_values, "json_too_many_values", "The JSON text holds too many values."},
    {Code::json_number_out_of_range, "json_number_out_of_range",
     "A JSON number is beyond what can be represented exactly."},
    {Code::algorithm_missing, "algorithm_missing", "The header names no algorithm."},
    {Code::algorithm_not_allowed, "algorithm_not_allowed",
     "The algorithm of the header is not allowed for this issuer."},
    {Code::algorithm_mismatch, "algorithm_mismatch",
     "The algorithm of the header is not the algorithm of the key."},
    {Code::header_embedded_key, "header_embedded_key",
     "The header carries a key or the address of one."},
    {Code::header_crit, "header_crit", "The header demands extensions; none is supported."},
    {Code::header_b64, "header_b64", "The unencoded payload option is not for tokens."},
    {Code::header_zip, "header_zip", "Compressed tokens are not supported."},
    {Code::header_nested, "header_nested", "Tokens inside tokens are not supported."},
    {Code::header_too_large, "header_too_large", "The header is longer than the limit."},
    {Code::type_malformed, "type_malformed", "The typ or cty of the header is not a string."},
    {Code::type_not_accepted, "type_not_accepted",
     "The typ of the header is missing or not the one this issuer must use."},
    {Code::kid_missing, "kid_missing", "The header names no key."},
    {Code::kid_malformed, "kid_malformed",
     "The kid is not a string of 1 to 256 bytes without control characters."},
    {Code::kid_unknown, "kid_unknown", "The issuer has no such key."},
    {Code::key_ambiguous, "key_ambiguous", "More than one key of the issuer fits."},
    {Code::key_not_valid_now, "key_not_valid_now", "The key is retired or not yet in use."},
    {Code::signature_invalid, "signature_invalid", "The signature does not verify."},
    {Code::issuer_missing, "issuer_missing", "The token names no issuer."},
    {Code::issuer_malformed, "issuer_malformed", "The iss claim is not a string."},
    {Code::issuer_unknown, "issuer_unknown", "The issuer is not trusted."},
    {Code::subject_missing, "subject_missing", "The token names no subject."},
    {Code::subject_malformed, "subject_malformed",
     "The sub claim is not a string of 1 to 255 bytes without control characters."},
    {Code::audience_missing, "audience_missing", "The token names no audience."},
    {Code::audience_malformed, "audience_malformed",
     "The aud claim is neither a string nor a non-empty array of strings."},
    {Code::audience_not_accepted, "audience_not_accepted", "The token is for another audience."},
    {Code::authorized_party_missing, "authorized_party_missing",
     "The token names no authorized party."},
    {Code::authorized_party_malformed, "authorized_party_malformed",
     "The azp claim is not a string."},
    {Code::authorized_party_not_accepted, "authorized_party_not_accepted",
     "The token was issued to a party that is not authorized."},
    {Code::expiry_missing, "expiry_missing", "The token has no expiry."},
    {Code::expiry_malformed, "expiry_malformed", "The exp claim is not a usable time."},
    {Code::token_expired, "token_expired", "The token has expired."},
    {Code::not_before_malformed, "not_before_malformed", "The nbf claim is not a usable time."},
    {Code::token_not_yet_valid, "token_not_yet_valid", "The token is not valid yet."},
    {Code::issued_at_missing, "issued_at_missing", "The token does not say when it was issued."},
    {Code::issued_at_malformed, "issued_at_malformed", "The iat claim is not a usable time."},
    {Code::issued_in_future, "issued_in_future", "The token was issued in the future."},
    {Code::lifetime_too_long, "lifetime_too_long",
     "The token lives longer than this issuer's tokens may."},
    {Code::token_too_old, "token_too_old", "The token was issued too long ago."},
    {Code::token_id_malformed, "token_id_malformed",
     "The jti claim is not a string of 1 to 255 bytes without control characters."},
    {Code::token_id_missing, "token_id_missing",
     "The token has no jti, and its issuer's tokens count once."},
    {Code::sender_constrained, "sender_constrained",
     "The token is bound to a key of its sender, which cannot be checked here."},
    {Code::wrong_token_kind, "wrong_token_kind",
     "The token is an ID token, a logout token or a proof, not an access token."},
    {Code::tenant_claim_missing, "tenant_claim_missing", "The token names no tenant."},
    {Code::tenant_claim_malformed, "tenant_claim_malformed",
     "The tenant is not a string of 1 to 255 bytes without control characters or outer spaces."},
    {Code::tenant_unknown, "tenant_unknown", "The tenant is not registered for this issuer."},
    {Code::tenant_suspended, "tenant_suspended", "The tenant is suspended."},
    {Code::tenant_already_set, "tenant_already_set",
     "Another tenant is already set in this transaction."},
    {Code::token_revoked, "token_revoked", "The token, its subject or its key was revoked."},
    {Code::token_used, "token_used", "The token counts once and was used before."},
    {Code::token_not_used, "token_not_used",
     "The token counts once: only set_tenant_from_jwt() uses it."},
    {Code::key_malformed, "key_malformed", "The key is not a well-formed JSON Web Key."},
    {Code::key_private, "key_private", "The key holds private material; publish public keys only."},
    {Code::key_symmetric, "key_symmetric",
     "The key is a shared secret; only public keys are used."},
    {Code::key_type_unsupported, "key_type_unsupported", "The kty of the key is not supported."},
    {Code::key_curve_unsupported, "key_curve_unsupported", "The curve of the key is not P-256."},
    {Code::key_algorithm_unsupported, "key_algorithm_unsupported",
     "The alg of the key is neither ES256 nor RS256, or does not fit its type."},
    {Code::key_not_for_signatures, "key_not_for_signatures",
     "The key is not meant for verifying signatures."},
    {Code::key_too_small, "key_too_small", "The RSA modulus is shorter than 2048 bits."},
    {Code::key_too_large, "key_too_large", "The RSA modulus is longer than 8192 bits."},
    {Code::key_weak_exponent, "key_weak_exponent",
     "The RSA exponent is even, below 65537 or above 2^256."},
    {Code::key_weak_modulus, "key_weak_modulus",
     "The RSA modulus is even or has the ROCA fingerprint."},
    {Code::key_invalid, "key_invalid",
     "OpenSSL refused the key, or its point is not on the curve."},
    {Code::jwks_malformed, "jwks_malformed", "The text is not a JSON Web Key Set."},
    {Code::jwks_too_large, "jwks_too_large", "The key set is larger than 256 kB."},
    {Code::jwks_too_many_keys, "jwks_too_many_keys", "The key set holds more than 100 keys."},
    {Code::jwks_duplicate_kid, "jwks_duplicate_kid", "Two keys of the set have one kid."},
    {Code::jwks_no_usable_key, "jwks_no_usable_key", "The key set holds no usable key."},
    {Code::claim_path_malformed, "claim_path_malformed", "The text is not a claim path."},
    {Code::tenant_id_malformed, "tenant_id_malformed",
     "A tenant id is 1 to 128 letters, digits, '.', '_', ':' or '-', and starts with a letter or "
     "digit."},
}};

constexpr bool is_in_order() {
    for (std::size_t i = 0; i < kEntries.size(); ++i)
        if (static_cast<std::size_t>(kEntries[i].code) != i)
            return false;
    return true;
}
static_assert(is_in_order(), "code.cpp lists the codes in the order of code.hpp");

const Entry &entry_of(Code code) {
    const auto index = static_cast<std::size_t>(code);
    return kEntries[index < kEntries.size() ? index
                                            : static_cast<std::size_t>(Code::internal_error)];
}

} // namespace

const char *code_name(Code code) {
    return entry_of(code).name;
}

bool is_about_the_machine(Code code) {
    return code == Code::internal_error || code == Code::out_of_memory ||
           code == Code::crypto_unavailable || code == Code::fips_unavailable;
}

const char *code_text(Code code) {
    return entry_of(code).text;
}

} // namespace tenancy::core
