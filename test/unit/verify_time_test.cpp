// Times: every boundary on both sides, in microseconds.
#include "world.hpp"

#include <limits>
#include <string>
#include <utility>

namespace tenancy::test {
namespace {

class TokenTime : public World {
protected:
    template <class Change>
    void change_policy(Change change) {
        auto other = policy();
        change(other);
        apply(std::move(other));
    }
    void set_leeway(std::int64_t seconds) {
        change_policy([seconds](auto &p) { p.leeway_seconds = seconds; });
    }
    Code verdict_at(const Json &claims, std::int64_t now_us) {
        now_us_ = now_us;
        return verdict_on_claims(claims);
    }
    static Json claims_at(const char *name, std::int64_t seconds) {
        Json timed = claims();
        timed.erase("iat");
        timed[name] = seconds;
        return timed;
    }
};

TEST_F(TokenTime, demands_an_expiry) {
    Json endless = claims();
    endless.erase("exp");
    EXPECT_EQ(verdict_on_claims(endless), Code::expiry_missing);
}

TEST_F(TokenTime, refuses_expiries_that_are_no_usable_time) {
    for (const char *exp :
         {"null", R"("1700000060")", "true", "{}", "[]", "[1700000060]", "-1", "0", "-0", "0.0",
          "-1.5e9", "1e-9", "9007199254740992", "253402300800", "2.534023008e11", "1e300", "1e18"})
        EXPECT_EQ(verdict_with("exp", exp), Code::expiry_malformed) << exp;
    EXPECT_EQ(verdict_with("exp", "1e400"), Code::json_number_out_of_range);
    EXPECT_EQ(verdict_with("exp", "NaN"), Code::json_malformed);
    EXPECT_EQ(verdict_with("exp", "253402300799"), Code::ok);
}

// RFC 7519 section 4.1.4: "on or after" exp must not be accepted.
TEST_F(TokenTime, expires_on_the_very_microsecond) {
    const Json timed = claims_at("exp", kNow);
    EXPECT_EQ(verdict_at(timed, kNow * kSecond - 1), Code::ok);
    EXPECT_EQ(verdict_at(timed, kNow * kSecond), Code::token_expired);
    EXPECT_EQ(verdict_at(timed, kNow * kSecond + 1), Code::token_expired);
}

TEST_F(TokenTime, expires_after_leeway_on_the_very_microsecond) {
    set_leeway(30);
    const Json timed = claims_at("exp", kNow);
    EXPECT_EQ(verdict_at(timed, (kNow + 30) * kSecond - 1), Code::ok);
    EXPECT_EQ(verify(token(timed))->expires_us, (kNow + 30) * kSecond);
    EXPECT_EQ(verdict_at(timed, (kNow + 30) * kSecond), Code::token_expired);
}

TEST_F(TokenTime, cuts_leeway_to_its_cap) {
    set_leeway(100'000);
    const Json timed = claims_at("exp", kNow);
    EXPECT_EQ(verdict_at(timed, (kNow + 300) * kSecond - 1), Code::ok);
    EXPECT_EQ(verdict_at(timed, (kNow + 300) * kSecond), Code::token_expired);
    set_leeway(-100);
    EXPECT_EQ(verdict_at(timed, kNow * kSecond - 1), Code::ok);
}

TEST_F(TokenTime, accepts_fractions_and_exponents_without_rounding_up) {
    EXPECT_EQ(verdict_with("exp", "1.7001e9"), Code::ok);
    EXPECT_EQ(verdict_with("exp", "17001E+5"), Code::ok);
    EXPECT_EQ(verdict_with("exp", "1700000000"), Code::token_expired);
    EXPECT_EQ(verdict_with("exp", "1700000000.0"), Code::token_expired);
    EXPECT_EQ(verdict_with("exp", "1.7e9"), Code::token_expired);
    EXPECT_EQ(verdict_with("exp", "1700000000.000001"), Code::ok);
    EXPECT_EQ(verdict_with("exp", "1700000000.00000099"), Code::token_expired);
    now_us_ = kNow * kSecond + 999'999;
    EXPECT_EQ(verdict_with("exp", "1700000000.9999999"), Code::token_expired);
    EXPECT_EQ(verdict_with("exp", "1700000001.0"), Code::ok);
    EXPECT_EQ(verdict_with("nbf", "1.7000000005e9"), Code::ok);
    EXPECT_EQ(verdict_with("iat", "1700000000.5"), Code::ok);
}

TEST_F(TokenTime, waits_for_nbf) {
    const Json timed = claims_at("nbf", kNow);
    EXPECT_EQ(verdict_at(timed, kNow * kSecond - 1), Code::token_not_yet_valid);
    EXPECT_EQ(verdict_at(timed, kNow * kSecond), Code::ok);
    set_leeway(30);
    EXPECT_EQ(verdict_at(timed, (kNow - 30) * kSecond - 1), Code::token_not_yet_valid);
    EXPECT_EQ(verdict_at(timed, (kNow - 30) * kSecond), Code::ok);
    EXPECT_EQ(verify(token(timed))->not_before_us, (kNow - 30) * kSecond);
}

TEST_F(TokenTime, refuses_nbf_and_iat_that_are_no_usable_time) {
    for (const char *value : {"null", R"("1700000000")", "true", "{}", "[]", "-1", "-0.0",
                              "9007199254740992", "253402300800", "1e300"}) {
        EXPECT_EQ(verdict_with("nbf", value), Code::not_before_malformed) << value;
        EXPECT_EQ(verdict_with("iat", value), Code::issued_at_malformed) << value;
    }
}

TEST_F(TokenTime, accepts_nbf_and_iat_of_the_epoch_but_no_such_exp) {
    for (const char *value : {"0", "0.0", "0e0"}) {
        EXPECT_EQ(verdict_with("nbf", value), Code::ok) << value;
        EXPECT_EQ(verdict_with("iat", value), Code::ok) << value;
        EXPECT_EQ(verdict_with("exp", value), Code::expiry_malformed) << value;
    }
    change_policy([](auto &p) { p.max_age_seconds = 3600; });
    EXPECT_EQ(verdict_with("iat", "0"), Code::token_too_old);
    change_policy([](auto &p) { p.max_lifetime_seconds = 3600; });
    EXPECT_EQ(verdict_with("iat", "0"), Code::lifetime_too_long);
}

TEST_F(TokenTime, refuses_tokens_from_the_future) {
    const Json timed = claims_at("iat", kNow);
    EXPECT_EQ(verdict_at(timed, kNow * kSecond - 1), Code::issued_in_future);
    EXPECT_EQ(verdict_at(timed, kNow * kSecond), Code::ok);
    set_leeway(30);
    EXPECT_EQ(verdict_at(timed, (kNow - 30) * kSecond - 1), Code::issued_in_future);
    EXPECT_EQ(verdict_at(timed, (kNow - 30) * kSecond), Code::ok);
    EXPECT_EQ(verify(token(timed))->not_before_us, (kNow - 30) * kSecond);
}

TEST_F(TokenTime, bounds_the_lifetime) {
    change_policy([](auto &p) {
        p.max_lifetime_seconds = 120;
        p.leeway_seconds = 300; // both times are the issuer's own: no help here
    });
    Json timed = claims(); // from kNow - 60 to kNow + 60
    EXPECT_EQ(verdict_on_claims(timed), Code::ok);
    timed["exp"] = kNow + 61;
    EXPECT_EQ(verdict_on_claims(timed), Code::lifetime_too_long);
    EXPECT_EQ(verdict_with("exp", "1700000060.000001"), Code::lifetime_too_long);
    timed.erase("iat");
    EXPECT_EQ(verdict_on_claims(timed), Code::issued_at_missing);
}

TEST_F(TokenTime, bounds_the_age) {
    change_policy([](auto &p) { p.max_age_seconds = 30; });
    Json timed = claims_at("iat", kNow);
    EXPECT_EQ(verdict_at(timed, (kNow + 30) * kSecond), Code::ok);
    const auto verified = verify(token(timed));
    EXPECT_EQ(verified->expires_us, (kNow + 30) * kSecond + 1);
    EXPECT_EQ(verdict_at(timed, verified->expires_us), Code::token_too_old);
    timed.erase("iat");
    EXPECT_EQ(verdict_on_claims(timed), Code::issued_at_missing);
}

TEST_F(TokenTime, survives_absurd_limits) {
    constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
    change_policy([](auto &p) {
        p.max_age_seconds = kHuge;
        p.max_lifetime_seconds = kHuge;
        p.leeway_seconds = kHuge;
    });
    EXPECT_EQ(verdict_on_claims(claims()), Code::ok);
    now_us_ = kHuge - 1;
    EXPECT_EQ(verdict_on_claims(claims()), Code::token_expired);
    now_us_ = 0;
    EXPECT_EQ(verdict_on_claims(claims()), Code::issued_in_future);
}

// A cached verdict is good exactly as long as verify() would give it again: also after the clock
// steps back.
TEST_F(TokenTime, promises_a_window_that_verify_keeps) {
    change_policy([](auto &p) {
        p.leeway_seconds = 10;
        p.max_age_seconds = 50;
    });
    Json timed = claims_at("iat", kNow - 20);
    timed["nbf"] = kNow - 5;
    const auto verified = verify(token(timed));
    ASSERT_EQ(why(verified), Code::ok);
    EXPECT_EQ(verdict_at(timed, verified->not_before_us - 1), Code::token_not_yet_valid);
    EXPECT_EQ(verdict_at(timed, verified->not_before_us), Code::ok);
    EXPECT_EQ(verdict_at(timed, verified->expires_us - 1), Code::ok);
    EXPECT_EQ(verdict_at(timed, verified->expires_us), Code::token_too_old);
}

} // namespace
} // namespace tenancy::test
