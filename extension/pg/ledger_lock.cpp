#include "pg/postgres.hpp"

#include "pg/ledger_lock.hpp"

#include <cstring>

namespace tenancy::pg {

namespace {

// pg_advisory_lock() uses the classes 1 and 2; with another number none of its callers can be in
// the way.
enum LockClass : uint16 {
    ledger_class = 0x7E01,
    instance_class = 0x7E02,
    alert_class = 0x7E03,
    tenant_class = 0x7E04,
    one_use_class = 0x7E05,
    task_class = 0x7E06
};

// Drawn at the start of the server, so that who reads pg_locks cannot tell whose lock it is.
uint64 salt = 0;

// Two names that hash alike share a lock, which costs waiting and nothing else.
LOCKTAG lock_tag(const char *name, LockClass lock_class) {
    const uint64 hash = DatumGetUInt64(hash_any_extended(
        reinterpret_cast<const unsigned char *>(name), static_cast<int>(std::strlen(name)), salt));
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, static_cast<uint32>(hash >> 32),
                         static_cast<uint32>(hash), lock_class);
    return tag;
}

} // namespace

void ledger_lock_initialize() {
    if (!pg_strong_random(&salt, sizeof salt))
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("no random bytes available"),
                        errhint("Check the system's random number generator.")));
}

void lock_ledger(const char *tenant_id, bool exclusive) {
    // A counter made on a standby would not follow the primary, and be believed after a promotion.
    PreventCommandDuringRecovery("a budget hold");
    if (IsolationUsesXactSnapshot())
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("budgets need transaction isolation READ COMMITTED"),
                        errhint("Begin the transaction with ISOLATION LEVEL READ COMMITTED.")));
    const LOCKTAG tag = lock_tag(tenant_id, ledger_class);
    (void)LockAcquire(&tag, exclusive ? ExclusiveLock : ShareLock, false, false);
}

bool try_lock_shared_ledger(const char *tenant_id) {
    PreventCommandDuringRecovery("a budget hold");
    const LOCKTAG tag = lock_tag(tenant_id, ledger_class);
    return LockAcquire(&tag, ShareLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

void unlock_exclusive_ledger(const char *tenant_id) {
    const LOCKTAG tag = lock_tag(tenant_id, ledger_class);
    (void)LockRelease(&tag, ExclusiveLock, false);
}

void unlock_shared_ledger(const char *tenant_id) {
    const LOCKTAG tag = lock_tag(tenant_id, ledger_class);
    (void)LockRelease(&tag, ShareLock, false);
}

void lock_one_use(const char *token_name) {
    const LOCKTAG tag = lock_tag(token_name, one_use_class);
    (void)LockAcquire(&tag, ExclusiveLock, false, false);
}

void lock_alerts(const char *tenant_id) {
    const LOCKTAG tag = lock_tag(tenant_id, alert_class);
    (void)LockAcquire(&tag, ExclusiveLock, false, false);
}

bool lock_task(const char *task, bool wait) {
    PreventCommandDuringRecovery("maintenance of tenants");
    const LOCKTAG tag = lock_tag(task, task_class);
    return LockAcquire(&tag, ExclusiveLock, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

bool lock_instance(const char *instance_id) {
    const LOCKTAG tag = lock_tag(instance_id, instance_class);
    return LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
}

bool lock_for_tenant(const char *tenant_id, int64 key, bool wait) {
    PreventCommandDuringRecovery("an advisory lock");
    const LOCKTAG tag = lock_tag(psprintf(INT64_FORMAT " %s", key, tenant_id), tenant_class);
    return LockAcquire(&tag, ExclusiveLock, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

bool instance_is_gone(const char *instance_id) {
    const LOCKTAG tag = lock_tag(instance_id, instance_class);
    const LockAcquireResult result = LockAcquire(&tag, ExclusiveLock, true, true);
    if (result == LOCKACQUIRE_NOT_AVAIL)
        return false;
    (void)LockRelease(&tag, ExclusiveLock, true);
    return result == LOCKACQUIRE_OK; // else this very session had it: alive
}

} // namespace tenancy::pg
