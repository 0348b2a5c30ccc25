#include "pg/postgres.hpp"

#include "pg/verification.hpp"

#include "core/verify.hpp"
#include "pg/boundary.hpp"
#include "pg/crypto.hpp"
#include "pg/key_uses.hpp"
#include "pg/proof_cache.hpp"
#include "pg/token_stats.hpp"

#include <cstring>
#include <limits>
#include <string>

namespace tenancy::pg {

namespace {

// False when the text does not fit; the caller refuses then, nothing is ever cut.
template <std::size_t N>
bool copy_text(char (&to)[N], const std::string &from) {
    if (from.size() >= N)
        return false;
    std::memcpy(to, from.c_str(), from.size() + 1);
    return true;
}

core::Result<Proof> prove(std::string_view token, std::int64_t now_us) {
    const auto verified = core::verify(*server_crypto(), registry_issuers(), token, now_us);
    if (!verified)
        return verified.error();
    Proof proof{};
    proof.not_before_us = verified->not_before_us;
    proof.expires_us = verified->expires_us;
    proof.token_expires_us = verified->token_expires_us;
    proof.issued_at_us = verified->issued_at_us;
    proof.fingerprint = verified->issuer->fingerprint;
    proof.key = verified->key->identity;
    if (!copy_text(proof.tenant_claim, verified->tenant_claim) ||
        !copy_text(proof.subject, verified->subject) ||
        !copy_text(proof.token_id, verified->token_id))
        return core::Code::internal_error; // the core bounds all three
    return proof;
}

core::Code check_revocation(const Verdict &verdict) {
    const Proof &proof = verdict.proof;
    const Revocation revocation =
        registry_find_revocation(verdict.issuer, proof.token_id, proof.subject);
    constexpr auto kNever = std::numeric_limits<std::int64_t>::min();
    if (revocation.of_token)
        return core::Code::token_revoked;
    if (revocation.issued_before_us == kNever)
        return core::Code::ok;
    if (proof.issued_at_us == kNever) // it could be older or younger: closed
        return core::Code::issued_at_missing;
    return proof.issued_at_us < revocation.issued_before_us ? core::Code::token_revoked
                                                            : core::Code::ok;
}

// What administrators have said since: the tenant, its rates, revocations. Five look-ups by primary
// key, of rows as committed now.
core::Code judge_standing(Verdict &verdict, uint64 generation) {
    const core::Issuer *issuer = registry_find_fingerprint(verdict.proof.fingerprint);
    if (issuer == nullptr)
        return core::Code::internal_error;
    if (strlcpy(verdict.issuer, issuer->policy.issuer.c_str(), sizeof verdict.issuer) >=
        sizeof verdict.issuer)
        return core::Code::issuer_malformed;
    const TenantEntry tenant = registry_find_tenant(verdict.issuer, verdict.proof.tenant_claim);
    if (!tenant.known)
        return core::Code::tenant_unknown;
    if (tenant.suspended)
        return core::Code::tenant_suspended;
    if (const core::Code why = check_revocation(verdict); why != core::Code::ok)
        return why;
    verdict.generation = generation;
    verdict.rates = tenant.rates;
    verdict.is_one_time = issuer->policy.one_time;
    strlcpy(verdict.tenant_id, tenant.tenant_id, sizeof verdict.tenant_id);
    return core::Code::ok;
}

core::Result<core::Sha256> name_of_issuer(const char *token) {
    const auto issuer = core::issuer_of(registry_issuers(), token);
    if (!issuer)
        return issuer.error();
    return server_crypto()->sha256((*issuer)->policy.issuer);
}

// The issuer may have a new key. This transaction is about to fail, so no row and no NOTIFY could
// say so: the key loader looks at this counter.
void report_unknown_kid(const char *token, std::int64_t now_us) {
    const auto name = boundary::run([&] { return name_of_issuer(token); });
    if (name.ok)
        use_count(UseKind::unknown_kid, name.value, now_us);
}

// Whether the proof would be made again now: by the clock, and by the issuers and keys as this
// backend knows them.
bool proof_counts(const Proof &proof, std::int64_t now_us) {
    return proof_is_in_time(proof, now_us) &&
           registry_find_fingerprint(proof.fingerprint) != nullptr;
}

// Another backend's proof, or a new one.
core::Code find_or_make_proof(Proof &proof, const core::Sha256 &digest, const char *token,
                              std::int64_t now_us) {
    if (proof_cache_find(proof, digest, now_us) && proof_counts(proof, now_us)) {
        token_stats_count(TokenEvent::shared_hit);
        return core::Code::ok;
    }
    const auto outcome = boundary::run([&] { return prove(token, now_us); });
    if (!outcome.ok) {
        if (outcome.code == core::Code::kid_unknown)
            report_unknown_kid(token, now_us);
        return outcome.code;
    }
    proof = outcome.value;
    proof_cache_store(digest, proof, now_us);
    token_stats_count(TokenEvent::verified);
    return core::Code::ok;
}

} // namespace

core::Code verify_token(Verdict &verdict, const char *token, uint64 generation,
                        std::int64_t now_us) {
    if (strnlen(token, core::kMaxTokenBytes + 1) > core::kMaxTokenBytes)
        return core::Code::token_too_large;
    const auto digest = boundary::run([&] { return server_crypto()->sha256(token); });
    if (!digest.ok)
        return digest.code;
    if (const Verdict *known = verdict_cache_find(digest.value, now_us);
        known != nullptr && proof_counts(known->proof, now_us)) {
        token_stats_count(TokenEvent::local_hit);
        verdict = *known;
    } else if (const core::Code why =
                   find_or_make_proof(verdict.proof, digest.value, token, now_us);
               why != core::Code::ok) {
        return why;
    }
    if (verdict.generation != generation) {
        if (const core::Code why = judge_standing(verdict, generation); why != core::Code::ok)
            return why;
        verdict_cache_store(digest.value, verdict, now_us);
    }
    use_count(UseKind::key, verdict.proof.key, now_us);
    return core::Code::ok;
}

} // namespace tenancy::pg
