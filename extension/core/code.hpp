// Every way in which the core can say no. Names and texts are fixed strings: no input byte is in
// them.
#pragma once

#include "core/pure.hpp"

namespace tenancy::core {

enum class Code : int {
    ok,
    // The machine, not the token.
    internal_error,
    out_of_memory,
    crypto_unavailable,
    fips_unavailable,
    // Shape of the compact serialization (RFC 7515 section 7.1).
    token_missing,
    token_too_large,
    token_malformed,
    token_encrypted,
    token_json_serialization,
    base64url_malformed,
    // JSON (RFC 8259, RFC 8725 section 3.7).
    json_malformed,
    json_not_object,
    json_nul_character,
    json_duplicate_member,
    json_too_deep,
    json_too_many_values,
    json_number_out_of_range,
    // Protected header (RFC 7515 section 4, RFC 7797, RFC 8725).
    algorithm_missing,
    algorithm_not_allowed,
    algorithm_mismatch,
    header_embedded_key,
    header_crit,
    header_b64,
    header_zip,
    header_nested,
    header_too_large,
    type_malformed,
    type_not_accepted,
    // Choice of the key.
    kid_missing,
    kid_malformed,
    kid_unknown,
    key_ambiguous,
    key_not_valid_now,
    // Signature.
    signature_invalid,
    // Claims (RFC 7519 section 4.1, RFC 9068).
    issuer_missing,
    issuer_malformed,
    issuer_unknown,
    subject_missing,
    subject_malformed,
    audience_missing,
    audience_malformed,
    audience_not_accepted,
    authorized_party_missing,
    authorized_party_malformed,
    authorized_party_not_accepted,
    expiry_missing,
    expiry_malformed,
    token_expired,
    not_before_malformed,
    token_not_yet_valid,
    issued_at_missing,
    issued_at_malformed,
    issued_in_future,
    lifetime_too_long,
    token_too_old,
    token_id_malformed,
    token_id_missing,
    sender_constrained,
    wrong_token_kind,
    tenant_claim_missing,
    tenant_claim_malformed,
    // Decided by the caller of the core; here so that all reasons come from one list.
    tenant_unknown,
    tenant_suspended,
    tenant_already_set,
    token_revoked,
    token_used,
    token_not_used,
    // Keys at load (RFC 7517, RFC 7518).
    key_malformed,
    key_private,
    key_symmetric,
    key_type_unsupported,
    key_curve_unsupported,
    key_algorithm_unsupported,
    key_not_for_signatures,
    key_too_small,
    key_too_large,
    key_weak_exponent,
    key_weak_modulus,
    key_invalid,
    jwks_malformed,
    jwks_too_large,
    jwks_too_many_keys,
    jwks_duplicate_kid,
    jwks_no_usable_key,
    // Configuration values.
    claim_path_malformed,
    tenant_id_malformed,
};

/// Number of enumerators; the table in code.cpp is checked against it.
inline constexpr int kCodeCount = static_cast<int>(Code::tenant_id_malformed) + 1;

/// Stable snake_case reason, the enumerator's own name, e.g. "token_expired". Never null.
const char *code_name(Code code);

/// Whether the trouble is the machine's, whatever token or key it was met with.
bool is_about_the_machine(Code code);

/// One English sentence for operators. Never null, never holds input.
const char *code_text(Code code);

} // namespace tenancy::core
