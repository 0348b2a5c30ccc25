#include "pg/postgres.hpp"

#include "pg/slots.hpp"

#include "pg/errors.hpp"

#include <cstring>

namespace tenancy::pg {

namespace {

constexpr std::int64_t kIdleUs = 60'000'000;

SharedTable<SlotKey, Slot> table("pg_tenancy slots");

std::int64_t read(pg_atomic_uint64 &value) {
    return static_cast<std::int64_t>(pg_atomic_read_u64(&value));
}

// Stays at the largest number instead of becoming a small one.
void add(pg_atomic_uint64 &value, std::int64_t delta) {
    uint64 seen = pg_atomic_read_u64(&value);
    std::int64_t sum = 0;
    do {
        if (__builtin_add_overflow(static_cast<std::int64_t>(seen), delta, &sum))
            sum = kCounterMost;
    } while (!pg_atomic_compare_exchange_u64(&value, &seen, static_cast<uint64>(sum)));
}

// Adds delta unless that would pass the limit (negative: none) or wrap.
bool add_within(pg_atomic_uint64 &value, std::int64_t delta, std::int64_t limit) {
    uint64 seen = pg_atomic_read_u64(&value);
    for (;;) {
        std::int64_t sum = 0;
        if (__builtin_add_overflow(static_cast<std::int64_t>(seen), delta, &sum) ||
            (limit >= 0 && sum > limit))
            return false;
        if (pg_atomic_compare_exchange_u64(&value, &seen, static_cast<uint64>(sum)))
            return true;
    }
}

// Idle slots first, then those of the tenant that wants another: it pays for its own appetite.
// Never one that somebody is about to commit a charge to.
void make_room(const SlotKey &wanted) {
    const std::int64_t idle_since = wall_clock_us() - kIdleUs;
    const auto is_free = [](Slot &slot) { return read(slot.committers) == 0; };
    const auto is_idle = [&](Slot &slot) {
        return is_free(slot) && read(slot.touched_us) < idle_since;
    };
    const auto is_own = [&](Slot &slot) {
        return is_free(slot) && slot.key.database == wanted.database &&
               std::strcmp(slot.key.tenant_id, wanted.tenant_id) == 0;
    };
    if (table.drop_if(is_idle) == 0 && table.drop_if(is_own) == 0)
        (void)table.drop_if(is_free);
}

// Charges move from committing to spent, in the order spent first: read the other way round, none
// is missed.
SlotView view_of(Slot &slot) {
    SlotView view{true, {}, {}, pg_atomic_read_u64(&slot.committers)};
    view.committing = {read(slot.committing_money), read(slot.committing_tokens)};
    pg_read_barrier();
    view.spent = {read(slot.spent_money), read(slot.spent_tokens)};
    return view;
}

void require_table() {
    if (!table.is_ready())
        raise_unavailable("budget counters are not ready",
                          "Restart the server with pg_tenancy in shared_preload_libraries.");
}

} // namespace

Oid ledger_relation() {
    return get_relname_relid("budgets", get_namespace_oid("tenancy", false));
}

SharedTable<SlotKey, Slot> &slots_table() {
    return table;
}

bool slot_key(SlotKey &key, const char *tenant_id, std::int64_t budget_id, const char *scope_value,
              std::int64_t window_start) {
    std::memset(static_cast<void *>(&key), 0, sizeof key);
    key.database = MyDatabaseId;
    key.ledger = ledger_relation();
    key.budget_id = budget_id;
    key.window_start = window_start;
    return strlcpy(key.tenant_id, tenant_id, sizeof key.tenant_id) < sizeof key.tenant_id &&
           strlcpy(key.scope_value, scope_value, sizeof key.scope_value) < sizeof key.scope_value;
}

HoldAnswer slot_hold(const SlotKey &key, const Amount &amount, const Amount &limit) {
    require_table();
    HoldAnswer answer{HoldOutcome::no_slot, {}, {}};
    (void)table.with(key, [&](Slot &slot) {
        answer.outcome = HoldOutcome::over_limit;
        answer.spent = {read(slot.spent_money), read(slot.spent_tokens)};
        answer.used = {read(slot.used_money), read(slot.used_tokens)};
        if (!add_within(slot.used_money, amount.money, limit.money))
            return;
        if (add_within(slot.used_tokens, amount.tokens, limit.tokens))
            answer.outcome = HoldOutcome::held;
        else
            add(slot.used_money, -amount.money);
        pg_atomic_write_u64(&slot.touched_us, static_cast<uint64>(wall_clock_us()));
    });
    return answer;
}

void slot_add(const SlotKey &key, const Amount &used, const Amount &spent) {
    if (!table.is_ready())
        return;
    (void)table.with(key, [&](Slot &slot) {
        add(slot.used_money, used.money);
        add(slot.used_tokens, used.tokens);
        add(slot.spent_money, spent.money);
        add(slot.spent_tokens, spent.tokens);
    });
}

SlotView slot_view(const SlotKey &key) {
    SlotView view{};
    if (table.is_ready())
        (void)table.with(key, [&](Slot &slot) { view = view_of(slot); });
    return view;
}

SlotView slot_announce(const SlotKey &key, const Amount &charge) {
    SlotView view{};
    if (!table.is_ready())
        return view;
    (void)table.with(key, [&](Slot &slot) {
        pg_atomic_fetch_add_u64(&slot.committers, 1);
        pg_atomic_fetch_add_u64(&slot.committing_money, charge.money);
        pg_atomic_fetch_add_u64(&slot.committing_tokens, charge.tokens);
        view = view_of(slot);
    });
    return view;
}

void slot_withdraw(const SlotKey &key, const Amount &charge) {
    if (!table.is_ready())
        return;
    (void)table.with(key, [&](Slot &slot) {
        pg_atomic_fetch_sub_u64(&slot.committing_money, charge.money);
        pg_atomic_fetch_sub_u64(&slot.committing_tokens, charge.tokens);
        pg_atomic_fetch_sub_u64(&slot.committers, 1);
    });
}

void slot_fill(const SlotKey &key, const Amount &used, const Amount &spent) {
    require_table();
    const bool created = table.create(
        key,
        [&](Slot &slot) {
            pg_atomic_init_u64(&slot.used_money, static_cast<uint64>(used.money));
            pg_atomic_init_u64(&slot.used_tokens, static_cast<uint64>(used.tokens));
            pg_atomic_init_u64(&slot.spent_money, static_cast<uint64>(spent.money));
            pg_atomic_init_u64(&slot.spent_tokens, static_cast<uint64>(spent.tokens));
            pg_atomic_init_u64(&slot.committing_money, 0);
            pg_atomic_init_u64(&slot.committing_tokens, 0);
            pg_atomic_init_u64(&slot.committers, 0);
            pg_atomic_init_u64(&slot.touched_us, static_cast<uint64>(wall_clock_us()));
        },
        [&] { make_room(key); });
    if (!created)
        raise_unavailable("budget counters have no room",
                          "Raise tenancy.max_slots and restart the server.");
}

void slots_drop_database() {
    require_table();
    table.remove_if([](Slot &slot) { return slot.key.database == MyDatabaseId; });
}

} // namespace tenancy::pg
