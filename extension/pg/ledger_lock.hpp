// Locks that no SQL function reaches: advisory locks of a class of our own.
#pragma once

#include "pg/postgres.hpp"

namespace tenancy::pg {

// Draws the salt of the lock numbers. Called once, in the postmaster.
void ledger_lock_initialize();

// Locks the ledger of a tenant until the end of the transaction: shared by whoever adds holds or
// charges, exclusive for whoever rebuilds a counter from the rows. 25006 on a standby; 0A000 unless
// each statement of the transaction sees what was committed before it (READ COMMITTED): an older
// snapshot would rebuild short.
void lock_ledger(const char *tenant_id, bool exclusive);

// Gives a shared ledger lock up again, before the end of the transaction.
void unlock_shared_ledger(const char *tenant_id);

// As lock_ledger(shared), without waiting: false when it would have to.
bool try_lock_shared_ledger(const char *tenant_id);

// Gives an exclusive ledger lock up before the end of a transaction that changed nothing.
void unlock_exclusive_ledger(const char *tenant_id);

// Locks a token that counts once, until the end of the transaction.
void lock_one_use(const char *token_name);

// Locks the alerts of a tenant until the end of the transaction, for alerts.hpp.
void lock_alerts(const char *tenant_id);

// Makes this transaction the only one at a task of the database. False, and only without wait:
// another one is.
bool lock_task(const char *task, bool wait);

// Takes, for the rest of the session, the lock that says a server instance is alive. False: another
// session has it.
bool lock_instance(const char *instance_id);

// Takes the lock of a key that an application chose, exclusive until the end of the transaction.
// Each tenant has keys of its own. False, and only without wait: another transaction has it.
bool lock_for_tenant(const char *tenant_id, int64 key, bool wait);

// Whether no session has that lock: the instance is gone. Keeps it free.
bool instance_is_gone(const char *instance_id);

} // namespace tenancy::pg
