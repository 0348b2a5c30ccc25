// SQL functions behind budgets: sql/install/4x-*.sql declare them. All are internal: definer
// functions call them under the ledger lock; the application role can call none.
#include "pg/postgres.hpp"

#include "pg/ledger_lock.hpp"
#include "pg/pending.hpp"
#include "pg/slots.hpp"

#include <algorithm>

namespace tenancy::pg {

namespace {

// The slot that the first four arguments name: tenant_id, budget_id, scope_value, window_start.
SlotKey slot_argument(FunctionCallInfo fcinfo) {
    SlotKey key;
    if (!slot_key(key, text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_INT64(1),
                  text_to_cstring(PG_GETARG_TEXT_PP(2)), PG_GETARG_TIMESTAMPTZ(3)))
        ereport(ERROR, (errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
                        errmsg("scope value of a budget is too long"),
                        errdetail("It has more than %zu bytes.", kMaxScopeBytes)));
    return key;
}

// Two arguments as money and tokens.
Amount amount_argument(FunctionCallInfo fcinfo, int first) {
    return {PG_GETARG_INT64(first), PG_GETARG_INT64(first + 1)};
}

// The share of a limit at which to warn, rounded up; 0 (no warning) for a negative limit or no
// share.
std::int64_t warn_at(std::int64_t limit, Numeric share) {
    if (limit < 0)
        return 0;
    const Datum exact = DirectFunctionCall2(numeric_mul, NumericGetDatum(int64_to_numeric(limit)),
                                            NumericGetDatum(share));
    const Datum whole = DirectFunctionCall1(numeric_ceil, exact);
    return DatumGetInt64(DirectFunctionCall1(numeric_int8, whole));
}

// Arguments money limit, tokens limit, share at which to warn, as thresholds. Nothing is spent at
// 0, so the least threshold is 1.
Thresholds thresholds_argument(FunctionCallInfo fcinfo, int first) {
    const Amount limit = amount_argument(fcinfo, first);
    Numeric share = PG_GETARG_NUMERIC(first + 2);
    return {{warn_at(limit.money, share), warn_at(limit.tokens, share)},
            {limit.money < 0 ? 0 : std::max<std::int64_t>(limit.money, 1),
             limit.tokens < 0 ? 0 : std::max<std::int64_t>(limit.tokens, 1)}};
}

Datum row_of(FunctionCallInfo fcinfo, Datum *values, bool *nulls) {
    TupleDesc desc = nullptr;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
        elog(ERROR, "function returning a row called in a context that takes none");
    return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

void put_slot(const ReturnSetInfo *result, Slot &slot) {
    Datum values[8] = {CStringGetTextDatum(slot.key.tenant_id),
                       Int64GetDatum(slot.key.budget_id),
                       CStringGetTextDatum(slot.key.scope_value),
                       TimestampTzGetDatum(slot.key.window_start),
                       UInt64GetDatum(pg_atomic_read_u64(&slot.used_money)),
                       UInt64GetDatum(pg_atomic_read_u64(&slot.used_tokens)),
                       UInt64GetDatum(pg_atomic_read_u64(&slot.spent_money)),
                       UInt64GetDatum(pg_atomic_read_u64(&slot.spent_tokens))};
    bool nulls[8] = {};
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

} // namespace

} // namespace tenancy::pg

using namespace tenancy::pg; // NOLINT: SQL entry points live outside any namespace

extern "C" {

PG_FUNCTION_INFO_V1(pgt_lock_ledger);
PG_FUNCTION_INFO_V1(pgt_unlock_shared_ledger);
PG_FUNCTION_INFO_V1(pgt_try_lock_shared_ledger);
PG_FUNCTION_INFO_V1(pgt_unlock_exclusive_ledger);
PG_FUNCTION_INFO_V1(pgt_slot_hold);
PG_FUNCTION_INFO_V1(pgt_slot_settle);
PG_FUNCTION_INFO_V1(pgt_slot_fill);
PG_FUNCTION_INFO_V1(pgt_slots);
PG_FUNCTION_INFO_V1(pgt_slots_drop);
PG_FUNCTION_INFO_V1(pgt_holds_mark);
PG_FUNCTION_INFO_V1(pgt_holds_undo);
PG_FUNCTION_INFO_V1(pgt_instance_lock);
PG_FUNCTION_INFO_V1(pgt_instance_is_gone);

Datum pgt_lock_ledger(PG_FUNCTION_ARGS) {
    lock_ledger(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_BOOL(1));
    PG_RETURN_VOID();
}

Datum pgt_unlock_shared_ledger(PG_FUNCTION_ARGS) {
    unlock_shared_ledger(text_to_cstring(PG_GETARG_TEXT_PP(0)));
    PG_RETURN_VOID();
}

Datum pgt_try_lock_shared_ledger(PG_FUNCTION_ARGS) {
    PG_RETURN_BOOL(try_lock_shared_ledger(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}

Datum pgt_unlock_exclusive_ledger(PG_FUNCTION_ARGS) {
    unlock_exclusive_ledger(text_to_cstring(PG_GETARG_TEXT_PP(0)));
    PG_RETURN_VOID();
}

// (slot..., money, tokens, money_limit, tokens_limit) -> held (NULL: no such slot), spent, used
Datum pgt_slot_hold(PG_FUNCTION_ARGS) {
    const HoldAnswer answer =
        pending_hold(slot_argument(fcinfo), amount_argument(fcinfo, 4), amount_argument(fcinfo, 6));
    Datum values[5] = {BoolGetDatum(answer.outcome == HoldOutcome::held),
                       Int64GetDatum(answer.spent.money), Int64GetDatum(answer.spent.tokens),
                       Int64GetDatum(answer.used.money), Int64GetDatum(answer.used.tokens)};
    bool nulls[5] = {answer.outcome == HoldOutcome::no_slot};
    PG_RETURN_DATUM(row_of(fcinfo, values, nulls));
}

// (slot..., used money, used tokens, spent money, spent tokens, money limit, tokens limit, share at
// which to warn), at commit
Datum pgt_slot_settle(PG_FUNCTION_ARGS) {
    const Amount spent = amount_argument(fcinfo, 6);
    const bool charges = spent.money > 0 || spent.tokens > 0;
    pending_settle(slot_argument(fcinfo), amount_argument(fcinfo, 4), spent,
                   charges ? thresholds_argument(fcinfo, 8) : Thresholds{});
    PG_RETURN_VOID();
}

Datum pgt_slot_fill(PG_FUNCTION_ARGS) {
    slot_fill(slot_argument(fcinfo), amount_argument(fcinfo, 4), amount_argument(fcinfo, 6));
    PG_RETURN_VOID();
}

Datum pgt_slots(PG_FUNCTION_ARGS) {
    int count = 0;
    InitMaterializedSRF(fcinfo, 0);
    Slot *slots = slots_table().snapshot(count);
    const Oid ledger = ledger_relation();
    for (int i = 0; i < count; i++)
        if (slots[i].key.database == MyDatabaseId && slots[i].key.ledger == ledger)
            put_slot(reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo), slots[i]);
    PG_RETURN_VOID();
}

Datum pgt_slots_drop(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    slots_drop_database();
    PG_RETURN_VOID();
}

Datum pgt_holds_mark(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    PG_RETURN_INT32(pending_mark());
}

Datum pgt_holds_undo(PG_FUNCTION_ARGS) {
    pending_undo(PG_GETARG_INT32(0));
    PG_RETURN_VOID();
}

Datum pgt_instance_lock(PG_FUNCTION_ARGS) {
    PG_RETURN_BOOL(lock_instance(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}

Datum pgt_instance_is_gone(PG_FUNCTION_ARGS) {
    PG_RETURN_BOOL(instance_is_gone(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}
}
