#include "pg/postgres.hpp"

#include "pg/context.hpp"

#include "pg/backend_tenants.hpp"
#include "pg/crypto.hpp"
#include "pg/errors.hpp"
#include "pg/one_time.hpp"
#include "pg/token.hpp"
#include "pg/verification.hpp"

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

[[noreturn]] void refuse(core::Code why) {
    refused_assignment = last_assignment();
    verified_assignment = 0;
    raise_refusal(why);
}

// Judges the token; a refusal is raised.
Verdict require_verdict(const char *token, uint64 generation, std::int64_t now_us) {
    Verdict verdict{};
    if (const core::Code why = verify_token(verdict, token, generation, now_us);
        why != core::Code::ok)
        refuse(why);
    return verdict;
}

// The first tenant of a transaction is its only one.
void keep_to_first_tenant(const Verdict &verdict) {
    const LocalTransactionId here = current_lxid();
    if (pin.lxid != here) {
        pin.lxid = here;
        strlcpy(pin.tenant_id, verdict.tenant_id, sizeof pin.tenant_id);
        note_backend_tenant(pin.tenant_id);
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

// Verifies the token that stands; nullptr when there is none.
const Verdict *judge() {
    const TokenSetting setting = token_setting();
    if (!is_live(setting))
        return nullptr;
    if (const core::Code why = crypto_trouble(); why != core::Code::ok)
        refuse(why);
    const uint64 generation = registry_refresh();
    const std::int64_t now_us = wall_clock_us();
    if (verified_assignment != setting.assignment || now_us < verified_at_us ||
        !verdict_holds(verified, generation, now_us)) {
        verified = require_verdict(setting.token, generation, now_us);
        verified_assignment = setting.assignment;
    }
    keep_to_first_tenant(verified);
    verified_at_us = now_us;
    return &verified;
}

} // namespace

// A token that counts once is never used by the way, in a function that may only look.
const Verdict *context_verify() {
    const Verdict *verdict = judge();
    if (verdict != nullptr && verdict->is_one_time && !token_setting().was_used)
        refuse(core::Code::token_not_used);
    return verdict;
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
    const Verdict *verdict = judge();
    if (verdict == nullptr)
        refuse(core::Code::token_missing);
    if (verdict->is_one_time) {
        if (!use_once(verdict->issuer, verdict->proof.token_id, verdict->proof.token_expires_us))
            refuse(core::Code::token_used);
        mark_token_used();
    }
    refused_assignment = refused_before;
    return verdict;
}

} // namespace tenancy::pg
