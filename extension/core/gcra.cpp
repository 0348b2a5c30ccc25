#include "core/gcra.hpp"

#include <algorithm>

namespace tenancy::core {

namespace {

constexpr std::int64_t kMinuteNs = 60'000'000'000;
constexpr std::int64_t kYearNs = std::int64_t{365} * 24 * 60 * kMinuteNs;
constexpr std::int64_t kMaxBurst = 1'000'000'000'000;

std::int64_t span_ns(const GcraLimit &limit) {
    return limit.interval_ns * limit.burst;
}

// Arrival time as a clock without backward steps would have left it: in [now, now + span].
std::int64_t clamped(const GcraLimit &limit, std::int64_t arrival_ns, std::int64_t now_ns) {
    return std::clamp(arrival_ns, now_ns, now_ns + span_ns(limit));
}

} // namespace

Result<GcraLimit> gcra_per_minute(std::int64_t per_minute, std::int64_t burst) {
    if (per_minute < 1 || per_minute > kMinuteNs || burst < 1 || burst > kMaxBurst)
        return Code::internal_error;
    const GcraLimit limit{(kMinuteNs + per_minute - 1) / per_minute, burst};
    if (limit.interval_ns > kYearNs / burst)
        return Code::internal_error;
    return limit;
}

GcraDecision gcra_decide(const GcraLimit &limit, std::int64_t arrival_ns, std::int64_t now_ns,
                         std::int64_t cost) {
    const std::int64_t start = clamped(limit, arrival_ns, now_ns);
    const std::int64_t room = now_ns + span_ns(limit) - start; // 0 .. span
    GcraDecision decision;
    if (cost < 0 || cost > limit.burst) {
        decision.retry_after_ns = kGcraNever;
    } else if (cost * limit.interval_ns > room) {
        decision.retry_after_ns = cost * limit.interval_ns - room;
    } else {
        decision.allowed = true;
    }
    decision.arrival_ns = decision.allowed ? start + cost * limit.interval_ns : start;
    decision.reset_after_ns = decision.arrival_ns - now_ns;
    decision.remaining = (span_ns(limit) - decision.reset_after_ns) / limit.interval_ns;
    return decision;
}

std::int64_t gcra_give_back(const GcraLimit &limit, std::int64_t arrival_ns, std::int64_t now_ns,
                            std::int64_t units) {
    const std::int64_t start = clamped(limit, arrival_ns, now_ns);
    const std::int64_t taken = start - now_ns;
    if (units <= 0)
        return start;
    if (units > taken / limit.interval_ns)
        return now_ns;
    return start - units * limit.interval_ns;
}

} // namespace tenancy::core
