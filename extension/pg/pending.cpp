#include "pg/postgres.hpp"

#include "pg/pending.hpp"

#include <cstring>

namespace tenancy::pg {

namespace {

constexpr int kFirstCapacity = 16;

struct Entry {
    SlotKey key;
    SubTransactionId subtransaction;
    Amount undo;  // added to used when this is rolled back
    Amount used;  // added to used at commit
    Amount spent; // added to spent at commit
    Thresholds thresholds;
};

// Units of a rate that this transaction gives back when it commits.
struct GiveBack {
    char tenant_id[kMaxTenantBytes + 1];
    FlowKind kind;
    core::GcraLimit limit;
    std::int64_t units, taken_us;
    SubTransactionId subtransaction;
    GiveBack *next;
};

// In TopTransactionContext, which ends with the transaction; so its end never allocates.
Entry *entries = nullptr;
int count = 0;
int capacity = 0;
GiveBack *give_backs = nullptr;

// Makes room before anything is done, so that running out of memory cannot lose an undo.
Entry *reserve() {
    if (count == capacity) {
        const int wanted = capacity == 0 ? kFirstCapacity : capacity * 2;
        const Size size = sizeof(Entry) * static_cast<Size>(wanted);
        entries = static_cast<Entry *>(entries == nullptr
                                           ? MemoryContextAlloc(TopTransactionContext, size)
                                           : repalloc(entries, size));
        capacity = wanted;
    }
    return entries + count;
}

// False, and nothing changed, when a sum would wrap.
bool add_to(Amount &sum, const Amount &amount) {
    Amount total{};
    if (__builtin_add_overflow(sum.money, amount.money, &total.money) ||
        __builtin_add_overflow(sum.tokens, amount.tokens, &total.tokens))
        return false;
    sum = total;
    return true;
}

// Many rows of one statement change the same few counters: one entry serves them all. Amounts too
// large for one entry take another; the slot adds them up without wrapping.
bool merged(const SlotKey &key, const Amount &used, const Amount &spent,
            const Thresholds &thresholds) {
    constexpr int window = 16;
    for (int i = count; i > 0 && i > count - window; i--) {
        Entry &entry = entries[i - 1];
        if (entry.undo.money == 0 && entry.undo.tokens == 0 &&
            entry.subtransaction == GetCurrentSubTransactionId() &&
            std::memcmp(&entry.key, &key, sizeof key) == 0) {
            Amount sum_used = entry.used;
            if (!add_to(sum_used, used) || !add_to(entry.spent, spent))
                return false;
            entry.used = sum_used;
            if (has_any(thresholds))
                entry.thresholds = thresholds;
            return true;
        }
    }
    return false;
}

void append(const SlotKey &key, const Amount &undo, const Amount &used, const Amount &spent,
            const Thresholds &thresholds) {
    entries[count++] = {key, GetCurrentSubTransactionId(), undo, used, spent, thresholds};
}

// The charges of this transaction that could cross a threshold, to whom that matters.
void announce_charges() {
    Charge *charges = nullptr;
    int found = 0;
    for (int i = 0; i < count; i++) {
        const Entry &entry = entries[i];
        if (entry.spent.money == 0 && entry.spent.tokens == 0)
            continue;
        if (charges == nullptr)
            charges = static_cast<Charge *>(MemoryContextAlloc(
                TopTransactionContext, sizeof(Charge) * static_cast<Size>(count)));
        charges[found++] = {entry.key, entry.spent, entry.thresholds, false};
    }
    if (found > 0)
        alerts_before_commit(charges, found);
}

void roll_back_to(int mark) {
    for (; count > mark; count--)
        slot_add(entries[count - 1].key, entries[count - 1].undo, {0, 0});
}

void forget() {
    give_backs = nullptr;
    entries = nullptr;
    count = capacity = 0;
}

// Still under the transaction's locks, so no rebuild can run between the rows and the slots.
void at_transaction_end(XactEvent event, void * /*arg*/) {
    if (capacity == 0 && give_backs == nullptr)
        return;
    switch (event) {
    case XACT_EVENT_PRE_COMMIT:
        announce_charges();
        break;
    case XACT_EVENT_COMMIT:
        for (int i = 0; i < count; i++)
            slot_add(entries[i].key, entries[i].used, entries[i].spent);
        for (const GiveBack *back = give_backs; back != nullptr; back = back->next)
            flows_give_back(back->tenant_id, back->kind, back->limit, back->units, back->taken_us);
        alerts_end();
        forget();
        break;
    case XACT_EVENT_ABORT:
        roll_back_to(0);
        alerts_end();
        forget();
        break;
    case XACT_EVENT_PRE_PREPARE:
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("a transaction with budget holds cannot be prepared"),
                        errdetail("Its holds would outlive a crash unseen by the counters."),
                        errhint("Use COMMIT.")));
        break;
    default:
        break;
    }
}

void at_subtransaction_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent,
                           void * /*arg*/) {
    if (event == SUBXACT_EVENT_ABORT_SUB) {
        int mark = count;
        while (mark > 0 && entries[mark - 1].subtransaction == mine)
            --mark;
        roll_back_to(mark);
        while (give_backs != nullptr && give_backs->subtransaction == mine)
            give_backs = give_backs->next;
    } else if (event == SUBXACT_EVENT_COMMIT_SUB) {
        for (GiveBack *back = give_backs; back != nullptr && back->subtransaction == mine;
             back = back->next)
            back->subtransaction = parent;
        for (int i = count; i > 0 && entries[i - 1].subtransaction == mine; i--)
            entries[i - 1].subtransaction = parent;
    }
}

} // namespace

void pending_initialize() {
    RegisterXactCallback(at_transaction_end, nullptr);
    RegisterSubXactCallback(at_subtransaction_end, nullptr);
}

HoldAnswer pending_hold(const SlotKey &key, const Amount &amount, const Amount &limit) {
    (void)reserve();
    const HoldAnswer answer = slot_hold(key, amount, limit);
    if (answer.outcome == HoldOutcome::held)
        append(key, {-amount.money, -amount.tokens}, {0, 0}, {0, 0}, {});
    return answer;
}

void pending_settle(const SlotKey &key, const Amount &used, const Amount &spent,
                    const Thresholds &thresholds) {
    if (merged(key, used, spent, thresholds))
        return;
    (void)reserve();
    append(key, {0, 0}, used, spent, thresholds);
}

void pending_give_back(const char *tenant_id, FlowKind kind, const core::GcraLimit &limit,
                       std::int64_t units, std::int64_t taken_us) {
    auto *back =
        static_cast<GiveBack *>(MemoryContextAlloc(TopTransactionContext, sizeof(GiveBack)));
    *back = {{}, kind, limit, units, taken_us, GetCurrentSubTransactionId(), give_backs};
    strlcpy(back->tenant_id, tenant_id, sizeof back->tenant_id);
    give_backs = back;
}

int pending_mark() {
    return count;
}

void pending_undo(int mark) {
    if (mark >= 0 && mark <= count)
        roll_back_to(mark);
}

} // namespace tenancy::pg
