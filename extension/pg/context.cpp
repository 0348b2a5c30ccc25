#include "pg/postgres.hpp"

#include "pg/context.hpp"

#include "core/tenant.hpp"
#include "core/verify.hpp"
#include "pg/boundary.hpp"
#include "pg/errors.hpp"
#include "pg/token.hpp"

#include <cstring>

namespace tenancy::pg {

namespace {

// The tenant this transaction began with. It outlives ROLLBACK TO SAVEPOINT and clear_tenant(), so
// no transaction ever sees rows of two tenants.
struct Pin {
    LocalTransactionId lxid;
    char tenant_id[kMaxTenantBytes + 1];
};

Pin pin{};

// The last assignment of tenancy.token that was verified, and what came out.
uint64 verified_assignment = 0;
std::int64_t verified_at_us = 0;
Verdict verified{};

// Assignments up to this number are dead: a token was refused after them. Not undone by a
// rollback, so that an EXCEPTION block cannot bring an earlier tenant back.
uint64 refused_assignment = 0;

// What verify() found, copied out of C++ objects.
struct Claims {
    Verdict verdict; // all but tenant_id and generation
    char tenant_claim[kMaxClaimBytes + 1];
};

// False when the text does not fit; the caller refuses then, nothing is ever cut.
template <std::size_t N>
bool copy_text(char (&to)[N], const std::string &from) {
    if (from.size() >= N)
        return false;
    std::memcpy(to, from.c_str(), from.size() + 1);
    return true;
}

core::Result<Claims> read_claims(std::string_view token, std::int64_t now_us) {
    const auto result = core::verify(registry_crypto(), registry_issuers(), token, now_us);
    if (!result)
        return result.error();
    Claims claims{};
    claims.verdict.not_before_us = result->not_before_us;
    claims.verdict.expires_us = result->expires_us;
    claims.verdict.has_subject = !result->subject.empty();
    if (!copy_text(claims.verdict.subject, result->subject) ||
        !copy_text(claims.verdict.issuer, result->issuer->policy.issuer) ||
        !copy_text(claims.tenant_claim, result->tenant_claim))
        return core::Code::subject_malformed;
    return claims;
}

[[noreturn]] void refuse(core::Code why) {
    refused_assignment = last_assignment();
    verified_assignment = 0;
    raise_refusal(why);
}

// Verifies from scratch: signature and claims by the core, then the tenant by the registry.
Verdict verify_cold(const char *token, uint64 generation, std::int64_t now_us) {
    auto outcome = boundary::run([&] { return read_claims(token, now_us); });
    if (!outcome.ok)
        refuse(outcome.code);
    Claims &claims = outcome.value;
    const TenantEntry tenant = registry_find_tenant(claims.verdict.issuer, claims.tenant_claim);
    if (!tenant.known)
        refuse(core::Code::tenant_unknown);
    if (tenant.suspended)
        refuse(core::Code::tenant_suspended);
    claims.verdict.generation = generation;
    claims.verdict.rates = tenant.rates;
    strlcpy(claims.verdict.tenant_id, tenant.tenant_id, sizeof claims.verdict.tenant_id);
    return claims.verdict;
}

Verdict verify_token(const char *token, uint64 generation, std::int64_t now_us) {
    if (strnlen(token, core::kMaxTokenBytes + 1) > core::kMaxTokenBytes)
        refuse(core::Code::token_too_large);
    const auto digest = boundary::run([&] { return registry_crypto().sha256(token); });
    if (!digest.ok)
        refuse(digest.code);
    if (const Verdict *known = verdict_cache_find(digest.value, generation, now_us))
        return *known;
    const Verdict verdict = verify_cold(token, generation, now_us);
    verdict_cache_store(digest.value, verdict, now_us);
    return verdict;
}

// The first tenant of a transaction is its only one.
void keep_to_first_tenant(const Verdict &verdict) {
    const LocalTransactionId here = current_lxid();
    if (pin.lxid != here) {
        pin.lxid = here;
        strlcpy(pin.tenant_id, verdict.tenant_id, sizeof pin.tenant_id);
    } else if (std::strcmp(pin.tenant_id, verdict.tenant_id) != 0) {
        refuse(core::Code::tenant_already_set);
    }
}

bool is_live(const TokenSetting &setting) {
    return *setting.token != '\0' && setting.assignment > refused_assignment &&
           (scope_is_session() ||
            (setting.lxid != InvalidLocalTransactionId && setting.lxid == current_lxid()));
}

[[noreturn]] void raise_no_tenant() {
    const bool left_behind = *token_setting().token != '\0';
    ereport(ERROR,
            (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
             errmsg("no tenant is set in this transaction"),
             left_behind ? errdetail("The token in tenancy.token was set outside this transaction, "
                                     "or a token was refused after it.")
                         : 0,
             errhint("Call tenancy.set_tenant_from_jwt(token) first, in the same transaction.")));
    pg_unreachable();
}

} // namespace

const Verdict *context_verify() {
    const TokenSetting setting = token_setting();
    if (!is_live(setting))
        return nullptr;
    const uint64 generation = registry_refresh();
    const std::int64_t now_us = wall_clock_us();
    if (verified_assignment != setting.assignment || now_us < verified_at_us ||
        !verdict_holds(verified, generation, now_us)) {
        verified = verify_token(setting.token, generation, now_us);
        verified_assignment = setting.assignment;
    }
    keep_to_first_tenant(verified);
    verified_at_us = now_us;
    return &verified;
}

bool context_is_pinned() {
    return pin.lxid != InvalidLocalTransactionId && pin.lxid == current_lxid();
}

const Verdict *context_require() {
    const Verdict *verdict = context_verify();
    if (verdict == nullptr)
        raise_no_tenant();
    return verdict;
}

const Verdict *context_replace(const char *token, core::Code why_missing) {
    const uint64 refused_before = refused_assignment;
    refused_assignment = last_assignment();
    if (token == nullptr)
        refuse(why_missing);
    assign_token_locally(token);
    const Verdict *verdict = context_verify();
    if (verdict == nullptr)
        refuse(core::Code::token_missing);
    refused_assignment = refused_before;
    return verdict;
}

} // namespace tenancy::pg
