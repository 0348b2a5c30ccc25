#include "schedule.hpp"

#include <algorithm>
#include <charconv>

namespace tenancy::server::keys {

namespace {

constexpr int kMostDoublings = 10;
constexpr double kSpread = 0.2; // of the wait, taken off at random

} // namespace

bool Schedule::is_due(Clock::time_point now, long long unknown_kids) const {
    if (!last_ || now >= next_)
        return true;
    return unknown_kids != seen_unknown_ && now >= *last_ + cooldown_;
}

void Schedule::begin(Clock::time_point now, long long unknown_kids) {
    last_ = now;
    seen_unknown_ = unknown_kids;
}

void Schedule::plan(Clock::time_point now, std::chrono::seconds wait, double jitter) {
    next_ = now + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(wait) *
                                                              (1.0 - kSpread * jitter));
}

void Schedule::succeed(Clock::time_point now, std::optional<std::chrono::seconds> max_age,
                       double jitter) {
    failures_ = 0;
    plan(now, std::clamp(max_age.value_or(refresh_), std::min(cooldown_, refresh_), refresh_),
         jitter);
}

void Schedule::fail(Clock::time_point now, double jitter) {
    const auto wait = cooldown_ * (1 << std::min(failures_, kMostDoublings));
    ++failures_;
    plan(now, std::min(wait, std::max(refresh_, cooldown_)), jitter);
}

std::optional<std::chrono::seconds> max_age_of(std::string_view cache_control) {
    constexpr std::string_view kName = "max-age=";
    for (std::size_t at = cache_control.find(kName); at != std::string_view::npos;
         at = cache_control.find(kName, at + 1)) {
        const bool is_whole_name =
            at == 0 || cache_control[at - 1] == ' ' || cache_control[at - 1] == ',';
        const char *begin = cache_control.data() + at + kName.size();
        const char *end = cache_control.data() + cache_control.size();
        int seconds = 0;
        if (is_whole_name && std::from_chars(begin, end, seconds).ec == std::errc() && seconds >= 0)
            return std::chrono::seconds(seconds);
    }
    return std::nullopt;
}

} // namespace tenancy::server::keys
