// The Generic Cell Rate Algorithm: the leaky bucket as a meter, one time stamp per flow.
#pragma once

#include "core/pure.hpp"

#include "core/result.hpp"

#include <cstdint>

namespace tenancy::core {

/// A rate: one unit every `interval_ns`, and up to `burst` units at once (both >= 1).
struct GcraLimit {
    std::int64_t interval_ns = 0;
    std::int64_t burst = 0;
};

/// What became of a request for some units. Times in nanoseconds.
struct GcraDecision {
    bool allowed = false;
    std::int64_t arrival_ns = 0; // theoretical arrival time to store when allowed (Unix epoch)
    std::int64_t remaining = 0;  // units that would pass right now
    std::int64_t retry_after_ns =
        0; // 0 when allowed; kGcraNever when the burst can never hold them
    std::int64_t reset_after_ns = 0; // until the whole burst is there again
};

inline constexpr std::int64_t kGcraNever = -1;

/// The limit of `per_minute` units a minute. The interval is rounded up, so rounding never admits
/// more. Error: internal_error unless 1 <= per_minute <= 6e10 and 1 <= burst <= 1e12 and the time
/// the burst spans is below a year.
Result<GcraLimit> gcra_per_minute(std::int64_t per_minute, std::int64_t burst);

/// Decides on `cost` units (>= 0) of a flow whose stored arrival time is `arrival_ns` (0 = new), at
/// `now_ns`. Virtual scheduling of ITU-T I.371 section 5.4.4.1, with the arrival time clamped to
/// what a clock that never steps back could have produced: after a step back the flow waits for one
/// burst at most. Negative costs are refused.
GcraDecision gcra_decide(const GcraLimit &limit, std::int64_t arrival_ns, std::int64_t now_ns,
                         std::int64_t cost);

/// Arrival time after `units` (>= 0) that were taken are given back; never earlier than `now_ns`.
std::int64_t gcra_give_back(const GcraLimit &limit, std::int64_t arrival_ns, std::int64_t now_ns,
                            std::int64_t units);

} // namespace tenancy::core
