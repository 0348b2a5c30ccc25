#include "core/gcra.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace {

using tenancy::core::gcra_decide;
using tenancy::core::gcra_give_back;
using tenancy::core::gcra_per_minute;
using tenancy::core::GcraLimit;
using tenancy::core::kGcraNever;

constexpr std::int64_t kNow = 1'700'000'000'000'000'000;
constexpr std::int64_t kSecond = 1'000'000'000;

// 60 a minute, so one a second, and five at once.
GcraLimit one_a_second() {
    return *gcra_per_minute(60, 5);
}

TEST(Gcra, admits_the_burst_and_not_one_more) {
    std::int64_t arrival = 0;
    for (int i = 0; i < 5; i++) {
        const auto decision = gcra_decide(one_a_second(), arrival, kNow, 1);
        ASSERT_TRUE(decision.allowed);
        EXPECT_EQ(decision.remaining, 4 - i);
        arrival = decision.arrival_ns;
    }
    const auto refused = gcra_decide(one_a_second(), arrival, kNow, 1);
    EXPECT_FALSE(refused.allowed);
    EXPECT_EQ(refused.retry_after_ns, kSecond);
    EXPECT_EQ(refused.reset_after_ns, 5 * kSecond);
    EXPECT_EQ(refused.arrival_ns, arrival) << "a refusal costs nothing";
}

TEST(Gcra, admits_again_exactly_when_it_said) {
    std::int64_t arrival = kNow + 5 * kSecond;
    EXPECT_FALSE(gcra_decide(one_a_second(), arrival, kNow + kSecond - 1, 1).allowed);
    EXPECT_TRUE(gcra_decide(one_a_second(), arrival, kNow + kSecond, 1).allowed);
}

TEST(Gcra, never_admits_more_than_rate_times_time_plus_burst) {
    const GcraLimit limit = *gcra_per_minute(7, 3);
    std::int64_t arrival = 0;
    int admitted = 0;
    for (std::int64_t now = kNow; now < kNow + 600 * kSecond; now += kSecond / 3) {
        const auto decision = gcra_decide(limit, arrival, now, 1);
        arrival = decision.arrival_ns;
        admitted += decision.allowed ? 1 : 0;
    }
    EXPECT_LE(admitted, 7 * 10 + 3);
    EXPECT_GE(admitted, 7 * 10);
}

TEST(Gcra, a_cost_above_the_burst_can_never_pass) {
    const auto decision = gcra_decide(one_a_second(), 0, kNow, 6);
    EXPECT_FALSE(decision.allowed);
    EXPECT_EQ(decision.retry_after_ns, kGcraNever);
    EXPECT_FALSE(gcra_decide(one_a_second(), 0, kNow, -1).allowed);
    EXPECT_FALSE(
        gcra_decide(one_a_second(), 0, kNow, std::numeric_limits<std::int64_t>::max()).allowed);
}

TEST(Gcra, costs_nothing_to_ask_for_nothing) {
    const auto decision = gcra_decide(one_a_second(), kNow + 5 * kSecond, kNow, 0);
    EXPECT_TRUE(decision.allowed);
    EXPECT_EQ(decision.arrival_ns, kNow + 5 * kSecond);
}

TEST(Gcra, a_clock_that_steps_back_costs_one_burst_at_most) {
    const std::int64_t arrival = kNow + 3600 * kSecond;
    const auto decision = gcra_decide(one_a_second(), arrival, kNow, 1);
    EXPECT_FALSE(decision.allowed);
    EXPECT_EQ(decision.retry_after_ns, kSecond);
    EXPECT_EQ(decision.reset_after_ns, 5 * kSecond);
}

TEST(Gcra, gives_back_what_was_taken_and_not_more) {
    const std::int64_t arrival = kNow + 4 * kSecond;
    EXPECT_EQ(gcra_give_back(one_a_second(), arrival, kNow, 3), kNow + kSecond);
    EXPECT_EQ(gcra_give_back(one_a_second(), arrival, kNow, 400), kNow);
    EXPECT_EQ(
        gcra_give_back(one_a_second(), arrival, kNow, std::numeric_limits<std::int64_t>::max()),
        kNow);
    EXPECT_EQ(gcra_give_back(one_a_second(), arrival, kNow, -3), arrival);
}

TEST(Gcra, rounds_the_rate_down_never_up) {
    EXPECT_EQ(gcra_per_minute(7, 1)->interval_ns, 8'571'428'572);
    EXPECT_EQ(gcra_per_minute(60'000'000'000, 1)->interval_ns, 1);
}

TEST(Gcra, refuses_limits_that_cannot_be_reckoned_with) {
    EXPECT_FALSE(gcra_per_minute(0, 1));
    EXPECT_FALSE(gcra_per_minute(-1, 1));
    EXPECT_FALSE(gcra_per_minute(1, 0));
    EXPECT_FALSE(gcra_per_minute(60'000'000'001, 1));
    EXPECT_FALSE(gcra_per_minute(1, 1'000'000'000'000));
    EXPECT_FALSE(gcra_per_minute(1, std::numeric_limits<std::int64_t>::max()));
}

} // namespace
