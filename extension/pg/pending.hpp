// What this transaction has done, or will do, to slots: holds are given back when it aborts,
// settles take effect when it commits. Over-counting in between is the safe side.
#pragma once

#include "pg/postgres.hpp"

#include "pg/alerts.hpp"
#include "pg/flows.hpp"
#include "pg/slots.hpp"

namespace tenancy::pg {

// Registers the transaction callbacks of this backend. Called when the module is loaded.
void pending_initialize();

// Tries to hold; a success is given back by an abort of this (sub)transaction. May ereport().
HoldAnswer pending_hold(const SlotKey &, const Amount &amount, const Amount &limit);

// Adds to used and spent of the slot if and when this (sub)transaction commits; a crossing of a
// threshold by what is spent then raises an alert. May ereport().
void pending_settle(const SlotKey &, const Amount &used, const Amount &spent, const Thresholds &);

// Gives units of a rate, taken at that time, back if and when this (sub)transaction commits: a
// transaction that is rolled back has used nothing, but asked. May ereport().
void pending_give_back(const char *tenant_id, FlowKind kind, const core::GcraLimit &limit,
                       std::int64_t units, std::int64_t taken_us);

// Number of pending entries, and giving back all holds made after there were that many.
int pending_mark();
void pending_undo(int mark);

} // namespace tenancy::pg
