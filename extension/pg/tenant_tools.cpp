#include "pg/postgres.hpp"

#include "pg/tenant_tools.hpp"

#include "pg/boundary.hpp"
#include "pg/context.hpp"
#include "pg/crypto.hpp"
#include "pg/errors.hpp"
#include "pg/ledger_lock.hpp"

#include <cstring>

namespace tenancy::pg {

namespace {

constexpr char kLead[] = "tenant_";
constexpr int kDigestBytes = 16;
// Lead, digits, "_".
constexpr std::size_t kPrefixBytes = sizeof kLead - 1 + std::size_t{2} * kDigestBytes + 1;
constexpr std::size_t kMaxNameBytes = NAMEDATALEN - 1 - kPrefixBytes;

int max_advisory_locks = 64;

// Locks that this transaction has taken. One that a rollback to a savepoint gave up still counts.
struct Taken {
    LocalTransactionId lxid;
    int count;
};

Taken taken{};

// A channel has at most 63 bytes and a tenant id up to 128: so the prefix is a hash.
struct Prefix {
    char text[kPrefixBytes + 1];
};

Prefix prefix_of(const char *tenant_id) {
    const auto digest = boundary::run([&] { return server_crypto()->sha256(tenant_id); });
    if (!digest.ok)
        raise_refusal(digest.code);
    Prefix prefix{};
    char *end = prefix.text + strlcpy(prefix.text, kLead, sizeof prefix.text);
    end += hex_encode(reinterpret_cast<const char *>(digest.value.data()), kDigestBytes, end);
    *end = '_';
    return prefix;
}

// Name of the tenant's own channel; 22023 when the short name is empty or too long.
char *channel_named(const text *name) {
    const auto length = static_cast<std::size_t>(VARSIZE_ANY_EXHDR(name));
    const Verdict *verdict = context_require();
    if (length == 0 || length > kMaxNameBytes)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("name of a channel must have 1 to %zu bytes", kMaxNameBytes),
                        errhint("Put the rest into the payload.")));
    return psprintf("%s%s", prefix_of(verdict->tenant_id).text, text_to_cstring(name));
}

// Before a lock is taken; 54000 when the transaction has too many.
void count_lock() {
    const LocalTransactionId here = current_lxid();
    if (taken.lxid != here)
        taken = {here, 0};
    if (taken.count >= max_advisory_locks)
        ereport(
            ERROR,
            (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
             errmsg("too many advisory locks in one transaction"),
             errdetail("tenancy.max_advisory_locks is %d.", max_advisory_locks),
             errhint("The lock table is shared by all tenants: lock one key for many things.")));
    ++taken.count;
}

} // namespace

void define_tool_settings() {
    // Each takes an entry of the lock table that all sessions share; a table that is full stops
    // every tenant, and new connections too.
    DefineCustomIntVariable("tenancy.max_advisory_locks",
                            "Calls of tenancy.advisory_lock() in one transaction.", nullptr,
                            &max_advisory_locks, max_advisory_locks, 0, 100'000, PGC_SUSET, 0,
                            nullptr, nullptr, nullptr);
}

bool is_channel_of(const char *tenant_id, const char *channel) {
    return std::strncmp(channel, prefix_of(tenant_id).text, kPrefixBytes) == 0;
}

} // namespace tenancy::pg

using namespace tenancy::pg; // NOLINT: SQL entry points live outside any namespace

extern "C" {

PG_FUNCTION_INFO_V1(pgt_channel);
PG_FUNCTION_INFO_V1(pgt_notify);
PG_FUNCTION_INFO_V1(pgt_advisory_lock);
PG_FUNCTION_INFO_V1(pgt_try_advisory_lock);

Datum pgt_channel(PG_FUNCTION_ARGS) {
    PG_RETURN_TEXT_P(cstring_to_text(channel_named(PG_GETARG_TEXT_PP(0))));
}

Datum pgt_notify(PG_FUNCTION_ARGS) {
    const char *channel = channel_named(PG_GETARG_TEXT_PP(0));
    PreventCommandDuringRecovery("tenancy.notify()");
    Async_Notify(channel, text_to_cstring(PG_GETARG_TEXT_PP(1)));
    PG_RETURN_VOID();
}

Datum pgt_advisory_lock(PG_FUNCTION_ARGS) {
    const Verdict *verdict = context_require();
    count_lock();
    (void)lock_for_tenant(verdict->tenant_id, PG_GETARG_INT64(0), true);
    PG_RETURN_VOID();
}

Datum pgt_try_advisory_lock(PG_FUNCTION_ARGS) {
    const Verdict *verdict = context_require();
    count_lock();
    PG_RETURN_BOOL(lock_for_tenant(verdict->tenant_id, PG_GETARG_INT64(0), false));
}
}
