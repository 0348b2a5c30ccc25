// SQL functions of the rate limiter: sql/install/40-rates.sql declares them.
#include "pg/postgres.hpp"

#include "pg/boundary.hpp"
#include "pg/context.hpp"
#include "pg/crypto.hpp"
#include "pg/errors.hpp"
#include "pg/flows.hpp"
#include "pg/pending.hpp"

#include <cstring>

namespace tenancy::pg {

namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::int64_t kUnixToPostgresUs =
    std::int64_t{POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE} * USECS_PER_DAY;
// allowed, limit, remaining, retry_after_ms, reset_after_ms; of take_rate() also per
constexpr int kColumns = 6;

struct Rate {
    std::int64_t per_minute, burst;
};

Rate rate_of(const RateLimits &limits, FlowKind kind) {
    if (kind == FlowKind::requests)
        return {limits.requests_per_minute, limits.burst};
    if (kind == FlowKind::subject_requests)
        return {limits.subject_requests_per_minute, limits.subject_requests_per_minute};
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
Datum answer(FunctionCallInfo fcinfo, FlowKind kind, const Rate &rate,
             const core::GcraDecision &decision) {
    TupleDesc desc = nullptr;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
        elog(ERROR, "rate functions return a row");
    Datum values[kColumns] = {
        BoolGetDatum(decision.allowed),
        Int64GetDatum(rate.per_minute),
        Int64GetDatum(decision.remaining),
        Int64GetDatum(milliseconds_up(decision.retry_after_ns)),
        Int64GetDatum(milliseconds_up(decision.reset_after_ns)),
        CStringGetTextDatum(kind == FlowKind::subject_requests ? "subject" : "tenant")};
    bool nulls[kColumns] = {};
    if (rate.per_minute == 0)
        nulls[1] = nulls[2] = nulls[3] = nulls[4] = nulls[5] = true;
    if (decision.retry_after_ns == core::kGcraNever)
        nulls[3] = true;
    return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

// The name of a subject's flow: a hash, for a subject is longer than a tenant id can be. Subjects
// of two issuers are two, and so are a tenant's and another's.
const char *subject_flow(const Verdict &verdict) {
    const char *who = psprintf("%s %zu %s%s", verdict.tenant_id, std::strlen(verdict.issuer),
                               verdict.issuer, verdict.proof.subject);
    const auto digest = boundary::run([&] { return server_crypto()->sha256(who); });
    if (!digest.ok)
        raise_unavailable("rate limit of the subject cannot be looked up",
                          "See the server log for OpenSSL's state.");
    auto *name = static_cast<char *>(palloc0(2 * digest.value.size() + 1));
    hex_encode(reinterpret_cast<const char *>(digest.value.data()), digest.value.size(), name);
    return name;
}

Datum take(FunctionCallInfo fcinfo, const Verdict &verdict, FlowKind kind, std::int64_t cost) {
    const Rate rate = rate_of(verdict.rates, kind);
    core::GcraDecision decision;
    decision.allowed = true;
    if (rate.per_minute != 0)
        decision = flows_take(verdict.tenant_id, kind, limit_of(rate), cost);
    return answer(fcinfo, kind, rate, decision);
}

// Of the subject first, then of its tenant: a refusal by either leaves both as they were. The
// answer is that of the tighter one.
Datum take_requests(FunctionCallInfo fcinfo, const Verdict &verdict, std::int64_t cost) {
    const Rate whole = rate_of(verdict.rates, FlowKind::requests);
    const Rate own = rate_of(verdict.rates, FlowKind::subject_requests);
    if (own.per_minute == 0)
        return take(fcinfo, verdict, FlowKind::requests, cost);
    const char *flow = subject_flow(verdict);
    const auto mine = flows_take(flow, FlowKind::subject_requests, limit_of(own), cost);
    if (!mine.allowed || whole.per_minute == 0)
        return answer(fcinfo, FlowKind::subject_requests, own, mine);
    const auto all = flows_take(verdict.tenant_id, FlowKind::requests, limit_of(whole), cost);
    if (!all.allowed)
        flows_give_back(flow, FlowKind::subject_requests, limit_of(own), cost, wall_clock_us());
    if (all.allowed && mine.remaining < all.remaining)
        return answer(fcinfo, FlowKind::subject_requests, own, mine);
    return answer(fcinfo, FlowKind::requests, whole, all);
}

Datum take_checked(FunctionCallInfo fcinfo, FlowKind kind, std::int64_t cost) {
    const Verdict *verdict = context_require();
    if (cost < 0)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("cost of a request is negative or NULL"), errhint("Use 0 or more units.")));
    return kind == FlowKind::requests ? take_requests(fcinfo, *verdict, cost)
                                      : take(fcinfo, *verdict, kind, cost);
}

// Only where the transaction has its token; the subject is not known otherwise.
void give_back_of_subject(const char *tenant_id, std::int64_t units, std::int64_t taken_us) {
    const Verdict *verdict = context_verify();
    if (verdict == nullptr || std::strcmp(verdict->tenant_id, tenant_id) != 0)
        return;
    const Rate own = rate_of(verdict->rates, FlowKind::subject_requests);
    if (own.per_minute != 0)
        flows_give_back(subject_flow(*verdict), FlowKind::subject_requests, limit_of(own), units,
                        taken_us);
}

} // namespace

} // namespace tenancy::pg

using namespace tenancy;     // NOLINT: SQL entry points live outside any namespace
using namespace tenancy::pg; // NOLINT

extern "C" {

PG_FUNCTION_INFO_V1(pgt_take_request);
PG_FUNCTION_INFO_V1(pgt_take_rate);
PG_FUNCTION_INFO_V1(pgt_give_back_rate);
PG_FUNCTION_INFO_V1(pgt_forget_rates);

Datum pgt_take_request(PG_FUNCTION_ARGS) {
    // NULL is no cost, and refused like a negative one: a NULL answer could be taken for a yes.
    return take_checked(fcinfo, FlowKind::requests, PG_ARGISNULL(0) ? -1 : PG_GETARG_INT64(0));
}

// (kind, cost): units of the verified tenant.
Datum pgt_take_rate(PG_FUNCTION_ARGS) {
    return take_checked(fcinfo, kind_of(PG_GETARG_INT32(0)), PG_GETARG_INT64(1));
}

// (tenant_id, kind, units, taken_at): for settling, which runs without a token.
Datum pgt_give_back_rate(PG_FUNCTION_ARGS) {
    const char *tenant_id = text_to_cstring(PG_GETARG_TEXT_PP(0));
    const FlowKind kind = kind_of(PG_GETARG_INT32(1));
    const TimestampTz taken_at = PG_GETARG_TIMESTAMPTZ(3);
    (void)registry_refresh();
    const Rate rate = rate_of(registry_find_rates(tenant_id), kind);
    if (TIMESTAMP_NOT_FINITE(taken_at))
        PG_RETURN_VOID();
    const std::int64_t taken_us = taken_at + kUnixToPostgresUs;
    if (rate.per_minute != 0)
        pending_give_back(tenant_id, kind, limit_of(rate), PG_GETARG_INT64(2), taken_us);
    if (kind == FlowKind::requests)
        give_back_of_subject(tenant_id, PG_GETARG_INT64(2), taken_us);
    PG_RETURN_VOID();
}

Datum pgt_forget_rates(PG_FUNCTION_ARGS) {
    flows_forget(text_to_cstring(PG_GETARG_TEXT_PP(0)));
    PG_RETURN_VOID();
}
}
