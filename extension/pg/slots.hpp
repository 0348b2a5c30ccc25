// Slots: the shared-memory counters of budgets. Rows are the truth; a slot that is there equals
// them, a slot that is not is rebuilt from them under the exclusive ledger lock of its tenant
// (ledger_lock.hpp). So any slot may be dropped at any time, and a crash restart, which drops all,
// loses nothing.
#pragma once

#include "pg/postgres.hpp"

#include "pg/registry.hpp"
#include "pg/shared_table.hpp"

#include <cstdint>
#include <limits>

namespace tenancy::pg {

inline constexpr std::size_t kMaxScopeBytes = 256;

// Counters and sums stay here instead of wrapping: tenancy.counter_most() in SQL.
inline constexpr std::int64_t kCounterMost = std::numeric_limits<std::int64_t>::max();

// Hashed as raw bytes, so it is always zeroed first. One budget counts one scope value (a session,
// a subject, a model) of one tenant in one window.
struct SlotKey {
    Oid database;
    Oid ledger; // the table tenancy.budgets: ids begin anew when the extension is made anew
    std::int64_t budget_id;
    std::int64_t window_start; // TimestampTz
    char tenant_id[kMaxTenantBytes + 8];
    char scope_value[kMaxScopeBytes + 8];
};
static_assert(sizeof(SlotKey) == 24 + kMaxTenantBytes + 8 + kMaxScopeBytes + 8);

// Money in picodollars, and tokens (or turns, for limits on concurrency).
struct Amount {
    std::int64_t money, tokens;
};

struct Slot {
    SlotKey key;
    pg_atomic_uint64 used_money, used_tokens;   // charges and open holds
    pg_atomic_uint64 spent_money, spent_tokens; // charges alone
    // Of transactions that are about to commit, for alerts.hpp: their charges, and how many.
    pg_atomic_uint64 committing_money, committing_tokens, committers;
    pg_atomic_uint64 touched_us;
};

SharedTable<SlotKey, Slot> &slots_table();

// OID of tenancy.budgets in this database.
Oid ledger_relation();

// Zeroes the key, padding included, and fills it in; false when a text does not fit.
bool slot_key(SlotKey &key, const char *tenant_id, std::int64_t budget_id, const char *scope_value,
              std::int64_t window_start);

enum class HoldOutcome { held, no_slot, over_limit };

// What a slot said to a hold. `spent` and `used` as they were.
struct HoldAnswer {
    HoldOutcome outcome;
    Amount spent, used;
};

// Adds the amount to the slot if used + amount stays within the limit (a negative limit: none).
HoldAnswer slot_hold(const SlotKey &, const Amount &amount, const Amount &limit);

// Adds to used and to spent; the parts may be negative. A slot that is not there is left alone.
void slot_add(const SlotKey &, const Amount &used, const Amount &spent);

// Makes the slot with these values. The caller holds the exclusive ledger lock of the tenant.
void slot_fill(const SlotKey &, const Amount &used, const Amount &spent);

// A slot as those see it who are about to commit.
struct SlotView {
    bool exists;
    Amount spent, committing;
    std::uint64_t committers;
};

// What is spent, and what is about to be. Never less than that: who commits in between counts
// twice.
SlotView slot_view(const SlotKey &);

// Adds a charge that is about to be committed, and looks. The slot stays until it is withdrawn.
SlotView slot_announce(const SlotKey &, const Amount &charge);
void slot_withdraw(const SlotKey &, const Amount &charge);

// Drops every slot of this database: they are rebuilt when they are asked for.
void slots_drop_database();

} // namespace tenancy::pg
