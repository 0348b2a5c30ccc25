#include "pg/postgres.hpp"

#include "pg/alerts.hpp"

#include "pg/ledger_lock.hpp"
#include "pg/own_function.hpp"

#include <algorithm>
#include <cstring>

namespace tenancy::pg {

namespace {

// So small that the sum over all sessions of a server cannot wrap. Who charges more commits alone.
constexpr std::int64_t kMostTogether = std::int64_t{1} << 44;
constexpr std::int64_t kMostAlone = std::int64_t{1} << 62;
constexpr long kPollUs = 100;

// Of this transaction, in memory of its own.
Charge *charges = nullptr;
int charge_count = 0;

int compare(const void *left, const void *right) {
    const auto &a = *static_cast<const Charge *>(left);
    const auto &b = *static_cast<const Charge *>(right);
    const int by_tenant = std::strcmp(a.key.tenant_id, b.key.tenant_id);
    return by_tenant != 0 ? by_tenant : std::memcmp(&a.key, &b.key, sizeof a.key);
}

std::int64_t sum_of(std::int64_t a, std::int64_t b) {
    std::int64_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? kCounterMost : sum;
}

void merge_into(Charge &charge, const Charge &other) {
    charge.amount = {sum_of(charge.amount.money, other.amount.money),
                     sum_of(charge.amount.tokens, other.amount.tokens)};
    if (has_any(other.thresholds))
        charge.thresholds = other.thresholds;
}

// By tenant, one for each slot, and only those that could cross something. Returns how many.
int sort_and_merge(Charge *all, int count) {
    int kept = 0;
    qsort(all, static_cast<size_t>(count), sizeof *all, compare);
    for (int i = 0; i < count; i++) {
        if (kept > 0 && compare(&all[kept - 1], &all[i]) == 0)
            merge_into(all[kept - 1], all[i]);
        else
            all[kept++] = all[i];
    }
    const auto matters = [](const Charge &charge) {
        return has_any(charge.thresholds) && (charge.amount.money > 0 || charge.amount.tokens > 0);
    };
    return static_cast<int>(std::stable_partition(all, all + kept, matters) - all);
}

Amount announcement(const Charge &charge) {
    return {std::clamp<std::int64_t>(charge.amount.money, 0, kMostAlone),
            std::clamp<std::int64_t>(charge.amount.tokens, 0, kMostAlone)};
}

bool crosses(std::int64_t spent, std::int64_t charge, std::int64_t threshold) {
    const std::int64_t before = std::max<std::int64_t>(spent, 0);
    return before < threshold && threshold - before <= charge;
}

bool crosses_any(const Amount &spent, const Amount &charge, const Thresholds &at) {
    return crosses(spent.money, charge.money, at.warn.money) ||
           crosses(spent.money, charge.money, at.limit.money) ||
           crosses(spent.tokens, charge.tokens, at.warn.tokens) ||
           crosses(spent.tokens, charge.tokens, at.limit.tokens);
}

SlotView announce(Charge &charge) {
    const SlotView view = slot_announce(charge.key, announcement(charge));
    charge.is_announced = view.exists;
    return view;
}

// Announces all. False as soon as one of them might cross, alone or together with others that are
// about to commit, or there is no counter to tell.
bool announce_far() {
    for (int i = 0; i < charge_count; i++) {
        Charge &charge = charges[i];
        if (charge.amount.money > kMostTogether || charge.amount.tokens > kMostTogether)
            return false;
        const SlotView view = announce(charge);
        if (!view.exists || crosses_any(view.spent, view.committing, charge.thresholds))
            return false;
    }
    return true;
}

// Calls tenancy.raise_alerts() past its EXECUTE privilege, which nobody has.
void raise_alerts(const Charge &charge, const SlotView &view) {
    const Oid types[9] = {TEXTOID, INT8OID, TEXTOID, TIMESTAMPTZOID, BOOLOID,
                          INT8OID, INT8OID, INT8OID, INT8OID};
    const Oid function = own_function("tenancy", "raise_alerts", types, lengthof(types));
    PushActiveSnapshot(GetTransactionSnapshot());
    (void)OidFunctionCall9(function, CStringGetTextDatum(charge.key.tenant_id),
                           Int64GetDatum(charge.key.budget_id),
                           CStringGetTextDatum(charge.key.scope_value),
                           TimestampTzGetDatum(charge.key.window_start), BoolGetDatum(view.exists),
                           Int64GetDatum(view.spent.money), Int64GetDatum(view.spent.tokens),
                           Int64GetDatum(charge.amount.money), Int64GetDatum(charge.amount.tokens));
    PopActiveSnapshot();
}

// Those who announced without the lock wait for no lock of ours: they are gone in a moment.
SlotView view_alone(const SlotKey &key) {
    SlotView view = slot_view(key);
    for (; view.committers > 1; view = slot_view(key)) {
        CHECK_FOR_INTERRUPTS();
        pg_usleep(kPollUs);
    }
    return view;
}

// With the lock, all that could cross comes after this transaction. Nobody waits for it with
// anything announced, or the one who has it could wait for them.
void commit_alone() {
    for (int i = 0; i < charge_count; i++)
        if (i == 0 || std::strcmp(charges[i].key.tenant_id, charges[i - 1].key.tenant_id) != 0)
            lock_alerts(charges[i].key.tenant_id);
    for (int i = 0; i < charge_count; i++)
        (void)announce(charges[i]);
    for (int i = 0; i < charge_count; i++) {
        const SlotView view = view_alone(charges[i].key);
        if (!view.exists || crosses_any(view.spent, charges[i].amount, charges[i].thresholds))
            raise_alerts(charges[i], view);
    }
}

void withdraw() {
    for (int i = 0; i < charge_count; i++) {
        if (charges[i].is_announced)
            slot_withdraw(charges[i].key, announcement(charges[i]));
        charges[i].is_announced = false;
    }
}

} // namespace

void alerts_before_commit(Charge *all, int count) {
    charge_count = sort_and_merge(all, count);
    charges = all;
    if (announce_far())
        return;
    withdraw();
    commit_alone();
}

void alerts_end() {
    withdraw();
    charges = nullptr;
    charge_count = 0;
}

} // namespace tenancy::pg
