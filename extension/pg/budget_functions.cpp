// SQL functions behind budgets: sql/install/4x-*.sql declare them. All are internal: definer
// functions call them under the ledger lock; the application role can call none.
#include "pg/postgres.hpp"

#include "pg/ledger_lock.hpp"
#include "pg/pending.hpp"
#include "pg/slots.hpp"

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
PG_FUNCTION_INFO_V1(pgt_slot_fill);
PG_FUNCTION_INFO_V1(pgt_slots);
PG_FUNCTION_INFO_V1(pgt_slots_drop);
PG_FUNCTION_INFO_V1(pgt_holds_mark);
PG_FUNCTION_INFO_V1(pgt_holds_undo);
PG_FUNCTION_INFO_V1(pgt_lock_task);
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

// (task, wait)
Datum pgt_lock_task(PG_FUNCTION_ARGS) {
    PG_RETURN_BOOL(lock_task(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_BOOL(1)));
}

Datum pgt_instance_lock(PG_FUNCTION_ARGS) {
    PG_RETURN_BOOL(lock_instance(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}

Datum pgt_instance_is_gone(PG_FUNCTION_ARGS) {
    PG_RETURN_BOOL(instance_is_gone(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}
}
