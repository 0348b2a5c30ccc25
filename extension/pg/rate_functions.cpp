// SQL functions of the rate limiter: sql/install/40-rates.sql declares them.
#include "pg/postgres.hpp"

#include "pg/boundary.hpp"
#include "pg/context.hpp"
#include "pg/errors.hpp"
#include "pg/flows.hpp"
#include "pg/pending.hpp"

namespace tenancy::pg {

namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::int64_t kUnixToPostgresUs =
    std::int64_t{POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE} * USECS_PER_DAY;
constexpr int kColumns = 5; // allowed, limit, remaining, retry_after_ms, reset_after_ms

struct Rate {
    std::int64_t per_minute, burst;
};

Rate rate_of(const RateLimits &limits, FlowKind kind) {
    if (kind == FlowKind::requests)
        return {limits.requests_per_minute, limits.burst};
    return {limits.tokens_per_minute, limits.tokens_per_minute};
}

core::GcraLimit limit_of(const Rate &rate) {
    const auto limit =
        boundary::run([&] { return core::gcra_per_minute(rate.per_minute, rate.burst); });
    if (!limit.ok)
        raise_unavailable("rate limit of the tenant is out of range",
                          "Set it again with tenancy.set_rate_limit().");
    return limit.value;
}

std::int64_t milliseconds_up(std::int64_t ns) {
    return (ns + kNsPerMs - 1) / kNsPerMs;
}

FlowKind kind_of(int32 number) {
    return number == static_cast<int32>(FlowKind::requests) ? FlowKind::requests : FlowKind::tokens;
}

// The answer as a row. Without a limit everything but `allowed` is NULL; without hope
// retry_after_ms is.
Datum answer(FunctionCallInfo fcinfo, const Rate &rate, const core::GcraDecision &decision) {
    TupleDesc desc = nullptr;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
        elog(ERROR, "rate functions return a row");
    Datum values[kColumns] = {BoolGetDatum(decision.allowed), Int64GetDatum(rate.per_minute),
                              Int64GetDatum(decision.remaining),
                              Int64GetDatum(milliseconds_up(decision.retry_after_ns)),
                              Int64GetDatum(milliseconds_up(decision.reset_after_ns))};
    bool nulls[kColumns] = {};
    if (rate.per_minute == 0)
        nulls[1] = nulls[2] = nulls[3] = nulls[4] = true;
    if (decision.retry_after_ns == core::kGcraNever)
        nulls[3] = true;
    return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

Datum take(FunctionCallInfo fcinfo, const Verdict &verdict, FlowKind kind, std::int64_t cost) {
    const Rate rate = rate_of(verdict.rates, kind);
    core::GcraDecision decision;
    decision.allowed = true;
    if (cost < 0)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("cost of a request is negative or NULL"), errhint("Use 0 or more units.")));
    if (rate.per_minute != 0)
        decision = flows_take(verdict.tenant_id, kind, limit_of(rate), cost);
    return answer(fcinfo, rate, decision);
}

} // namespace

} // namespace tenancy::pg

using namespace tenancy;     // NOLINT: SQL entry points live outside any namespace
using namespace tenancy::pg; // NOLINT

extern "C" {

PG_FUNCTION_INFO_V1(pgt_take_request);
PG_FUNCTION_INFO_V1(pgt_take_rate);
PG_FUNCTION_INFO_V1(pgt_give_back_rate);

Datum pgt_take_request(PG_FUNCTION_ARGS) {
    const Verdict *verdict = context_require();
    // NULL is no cost, and refused like a negative one: a NULL answer could be taken for a yes.
    return take(fcinfo, *verdict, FlowKind::requests, PG_ARGISNULL(0) ? -1 : PG_GETARG_INT64(0));
}

// (kind, cost): units of the verified tenant.
Datum pgt_take_rate(PG_FUNCTION_ARGS) {
    const Verdict *verdict = context_require();
    return take(fcinfo, *verdict, kind_of(PG_GETARG_INT32(0)), PG_GETARG_INT64(1));
}

// (tenant_id, kind, units, taken_at): for settling, which runs without a token.
Datum pgt_give_back_rate(PG_FUNCTION_ARGS) {
    const char *tenant_id = text_to_cstring(PG_GETARG_TEXT_PP(0));
    const FlowKind kind = kind_of(PG_GETARG_INT32(1));
    const TimestampTz taken_at = PG_GETARG_TIMESTAMPTZ(3);
    (void)registry_refresh();
    const Rate rate = rate_of(registry_find_rates(tenant_id), kind);
    if (rate.per_minute != 0 && !TIMESTAMP_NOT_FINITE(taken_at))
        pending_give_back(tenant_id, kind, limit_of(rate), PG_GETARG_INT64(2),
                          taken_at + kUnixToPostgresUs);
    PG_RETURN_VOID();
}
}
