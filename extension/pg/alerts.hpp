// Alerts: exactly one for each crossing of a threshold by what is spent. The row of the alert is in
// the transaction whose charge crosses. What is spent moves at commit only, so each transaction
// announces its charges in the slots right before it commits; announcements that could cross
// together make their transactions commit one by one. All others only add and look.
#pragma once

#include "pg/postgres.hpp"

#include "pg/slots.hpp"

namespace tenancy::pg {

// What must be spent for an alert; 0: no alert.
struct Thresholds {
    Amount warn, limit;
};

inline bool has_any(const Thresholds &at) {
    return (at.warn.money | at.warn.tokens | at.limit.money | at.limit.tokens) != 0;
}

// What a transaction charges to one slot.
struct Charge {
    SlotKey key;
    Amount amount;
    Thresholds thresholds;
    bool is_announced;
};

// Right before the commit of these charges: raises the alerts that they cause. Sorts the array,
// which must live until alerts_end(). May wait for other transactions; may ereport().
void alerts_before_commit(Charge *all, int count);

// After the slots were changed, or at abort: takes back what was announced. Never raises.
void alerts_end();

} // namespace tenancy::pg
