// A circuit breaker: after a failure everyone goes without for a moment, then everyone tries again.
// Not one caller only: while he finds out that all is well, the others would pass unlimited.
#pragma once

#include <atomic>
#include <chrono>

namespace tenancy::server::rate {

class Breaker {
public:
    using Clock = std::chrono::steady_clock;

    explicit Breaker(Clock::duration pause) : pause_(pause) {}

    bool is_closed(Clock::time_point now) const {
        return blocked_until_.load() <= now.time_since_epoch().count();
    }
    void failed(Clock::time_point now) {
        blocked_until_ = (now + pause_).time_since_epoch().count();
    }

private:
    const Clock::duration pause_;
    std::atomic<Clock::duration::rep> blocked_until_{0};
};

} // namespace tenancy::server::rate
