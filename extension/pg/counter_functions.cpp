// SQL functions that work on all counters of a turn: sql/install/47-holds.sql declares them. All
// are internal; the ledger of the turn's tenant is locked, by the caller or, to settle, here.
#include "pg/postgres.hpp"

#include "pg/counters.hpp"
#include "pg/ledger_lock.hpp"
#include "pg/pending.hpp"

#include <algorithm>
#include <optional>

namespace tenancy::pg {

namespace {

enum ScopeColumn {
    scope_tenant_id,
    scope_session_id,
    scope_subject,
    scope_model,
    scope_admitted_at
};
constexpr int kScopeColumns = 5;
constexpr int kCounterColumns = 11;
constexpr int kRefusedColumns = 11; // of tenancy.refused_hold

// The first argument, of type tenancy.turn_scope.
TurnScope turn_argument(FunctionCallInfo fcinfo) {
    HeapTupleHeader row = PG_GETARG_HEAPTUPLEHEADER(0);
    Datum values[kScopeColumns];
    bool nulls[kScopeColumns];
    HeapTupleData tuple{};
    tuple.t_len = HeapTupleHeaderGetDatumLength(row);
    tuple.t_data = row;
    TupleDesc desc =
        lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(row), HeapTupleHeaderGetTypMod(row));
    if (desc->natts != kScopeColumns)
        elog(ERROR, "tenancy.turn_scope has %d columns", desc->natts);
    heap_deform_tuple(&tuple, desc, values, nulls);
    ReleaseTupleDesc(desc);
    if (nulls[scope_tenant_id] || nulls[scope_admitted_at])
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("a turn counts for a tenant, from a time on"),
                        errhint("Give tenant_id and admitted_at.")));
    const auto text_or_null = [&](ScopeColumn column) -> const char * {
        return nulls[column] ? nullptr : TextDatumGetCString(values[column]);
    };
    return {text_or_null(scope_tenant_id), text_or_null(scope_session_id),
            text_or_null(scope_subject), text_or_null(scope_model),
            DatumGetTimestampTz(values[scope_admitted_at])};
}

SlotKey slot_of(const TurnScope &turn, const Counter &counter) {
    SlotKey key;
    if (!slot_key(key, turn.tenant_id, counter.budget_id, counter.scope_value,
                  counter.window_start))
        ereport(ERROR, (errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
                        errmsg("scope value of a budget is too long"),
                        errdetail("It has more than %zu bytes.", kMaxScopeBytes)));
    return key;
}

void put_counter(const ReturnSetInfo *result, const Counter &counter) {
    Datum values[kCounterColumns] = {Int64GetDatum(counter.budget_id),
                                     CStringGetTextDatum(counter.scope),
                                     CStringGetTextDatum(counter.scope_value),
                                     CStringGetTextDatum(counter.period),
                                     TimestampTzGetDatum(counter.window_start),
                                     TimestampTzGetDatum(counter.window_end),
                                     Int64GetDatum(counter.money_limit),
                                     Int64GetDatum(counter.tokens_limit),
                                     counter.warn_ratio,
                                     BoolGetDatum(counter.in_force),
                                     BoolGetDatum(counter.enforced)};
    bool nulls[kCounterColumns] = {};
    nulls[8] = counter.warn_ratio == 0;
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

// The share of a limit at which to warn, rounded up; 0 (no warning) for no limit.
std::int64_t warn_at(std::int64_t limit, Datum share) {
    if (limit < 0)
        return 0;
    const Datum exact =
        DirectFunctionCall2(numeric_mul, NumericGetDatum(int64_to_numeric(limit)), share);
    const Datum whole = DirectFunctionCall1(numeric_ceil, exact);
    return DatumGetInt64(DirectFunctionCall1(numeric_int8, whole));
}

// Nothing is spent at 0, so the least threshold of a limit is 1.
std::int64_t limit_at(std::int64_t limit) {
    return limit < 0 ? 0 : std::max<std::int64_t>(limit, 1);
}

Thresholds thresholds_of(const Counter &counter) {
    Thresholds at{};
    if (!counter.in_force)
        return at;
    at.limit = {limit_at(counter.money_limit), limit_at(counter.tokens_limit)};
    if (counter.warn_ratio != 0)
        at.warn = {warn_at(counter.money_limit, counter.warn_ratio),
                   warn_at(counter.tokens_limit, counter.warn_ratio)};
    return at;
}

// As the operator - of bigint.
std::int64_t less(std::int64_t charged, std::int64_t held) {
    std::int64_t difference = 0;
    if (__builtin_sub_overflow(charged, held, &difference))
        ereport(ERROR,
                (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE), errmsg("bigint out of range")));
    return difference;
}

// A counter that a hold did not fit into, or that is in force and not in memory.
struct Refused {
    Counter counter;
    HoldAnswer answer;
};

// All or nothing: what refused, if anything did.
std::optional<Refused> hold_all(const TurnScope &turn, const Amount &amount) {
    const Counters counters = counters_of(turn);
    const int mark = pending_mark();
    for (int i = 0; i < counters.count; i++) {
        const Counter &counter = counters.items[i];
        const Amount limit =
            counter.enforced ? Amount{counter.money_limit, counter.tokens_limit} : Amount{-1, -1};
        const HoldAnswer answer = pending_hold(
            slot_of(turn, counter), counter.counts_turns() ? Amount{0, 1} : amount, limit);
        if (answer.outcome == HoldOutcome::held ||
            (answer.outcome == HoldOutcome::no_slot && !counter.in_force))
            continue;
        pending_undo(mark);
        return Refused{counter, answer};
    }
    return std::nullopt;
}

Datum refused_row(FunctionCallInfo fcinfo, const Refused &refused) {
    TupleDesc desc = nullptr;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
        elog(ERROR, "tenancy.hold_counters() returns a row");
    const Counter &counter = refused.counter;
    const bool is_missing = refused.answer.outcome == HoldOutcome::no_slot;
    Datum values[kRefusedColumns] = {BoolGetDatum(is_missing),
                                     CStringGetTextDatum(counter.scope),
                                     CStringGetTextDatum(counter.scope_value),
                                     CStringGetTextDatum(counter.period),
                                     TimestampTzGetDatum(counter.window_end),
                                     Int64GetDatum(counter.money_limit),
                                     Int64GetDatum(counter.tokens_limit),
                                     Int64GetDatum(refused.answer.spent.money),
                                     Int64GetDatum(refused.answer.spent.tokens),
                                     Int64GetDatum(refused.answer.used.money),
                                     Int64GetDatum(refused.answer.used.tokens)};
    bool nulls[kRefusedColumns] = {};
    std::fill(nulls + 1, nulls + kRefusedColumns, is_missing);
    return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

} // namespace

} // namespace tenancy::pg

using namespace tenancy::pg; // NOLINT: SQL entry points live outside any namespace

extern "C" {

PG_FUNCTION_INFO_V1(pgt_counters_of);
PG_FUNCTION_INFO_V1(pgt_hold_counters);
PG_FUNCTION_INFO_V1(pgt_settle);

// (turn)
Datum pgt_counters_of(PG_FUNCTION_ARGS) {
    InitMaterializedSRF(fcinfo, 0);
    const Counters counters = counters_of(turn_argument(fcinfo));
    for (int i = 0; i < counters.count; i++)
        put_counter(reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo), counters.items[i]);
    PG_RETURN_VOID();
}

// (turn, money, tokens) -> NULL: held, else tenancy.refused_hold
Datum pgt_hold_counters(PG_FUNCTION_ARGS) {
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("a turn holds an amount of money and of tokens"),
                        errdetail("One of them, or the turn, is null.")));
    ForceSyncCommit(); // what is answered for survives a crash, but anyone may set
                       // synchronous_commit
    const auto refused = hold_all(turn_argument(fcinfo), {PG_GETARG_INT64(1), PG_GETARG_INT64(2)});
    if (!refused)
        PG_RETURN_NULL();
    PG_RETURN_DATUM(refused_row(fcinfo, *refused));
}

// (turn, held money, held tokens, charged money, charged tokens, ended turns)
Datum pgt_settle(PG_FUNCTION_ARGS) {
    ForceSyncCommit(); // as above
    const TurnScope turn = turn_argument(fcinfo);
    lock_ledger(turn.tenant_id, false);
    const Amount spent{PG_GETARG_INT64(3), PG_GETARG_INT64(4)};
    const Amount used{less(spent.money, PG_GETARG_INT64(1)),
                      less(spent.tokens, PG_GETARG_INT64(2))};
    const Amount ended{0, -std::int64_t{PG_GETARG_INT32(5)}};
    const Counters counters = counters_of(turn);
    for (int i = 0; i < counters.count; i++) {
        const bool is_turns = counters.items[i].counts_turns();
        const bool charges = !is_turns && (spent.money > 0 || spent.tokens > 0);
        pending_settle(slot_of(turn, counters.items[i]), is_turns ? ended : used,
                       is_turns ? Amount{0, 0} : spent,
                       charges ? thresholds_of(counters.items[i]) : Thresholds{});
    }
    PG_RETURN_VOID();
}
}
