// When the keys of one issuer are fetched next. Pure: told what time it is.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace tenancy::server::keys {

using Clock = std::chrono::steady_clock;

class Schedule {
public:
    /// Fetches at least every `refresh` and at most every `cooldown`.
    Schedule(std::chrono::seconds refresh, std::chrono::seconds cooldown)
        : refresh_(refresh), cooldown_(cooldown) {}

    /// Due when the time has come, or when tokens named unknown keys since the last fetch and that
    /// is a cooldown ago. `unknown_kids` is the database's count: whatever tokens name, they buy
    /// one fetch per cooldown.
    bool is_due(Clock::time_point now, long long unknown_kids) const;

    void begin(Clock::time_point now, long long unknown_kids);
    /// `max_age` is what the provider allows. `jitter` is random, 0 to 1: instances and issuers
    /// must not fetch in step.
    void succeed(Clock::time_point now, std::optional<std::chrono::seconds> max_age, double jitter);
    /// Tries again after a cooldown, twice that, four times ...
    void fail(Clock::time_point now, double jitter);

private:
    void plan(Clock::time_point now, std::chrono::seconds wait, double jitter);

    std::chrono::seconds refresh_;
    std::chrono::seconds cooldown_;
    std::optional<Clock::time_point> last_;
    Clock::time_point next_{};
    long long seen_unknown_ = 0;
    int failures_ = 0;
};

/// max-age of a Cache-Control header (RFC 9111 section 5.2.2.1); nothing when there is none.
std::optional<std::chrono::seconds> max_age_of(std::string_view cache_control);

} // namespace tenancy::server::keys
