#include "core/numeric_date.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

#include <gtest/gtest.h>

namespace tenancy::core {
namespace {

std::optional<std::int64_t> real(std::string_view text) {
    return numeric_date_us({.kind = JsonValue::Kind::real, .text = text});
}

std::optional<std::int64_t> integer(std::int64_t value) {
    return numeric_date_us({.kind = JsonValue::Kind::integer, .integer = value});
}

TEST(NumericDate, reads_integers_as_seconds) {
    EXPECT_EQ(integer(1), 1'000'000);
    EXPECT_EQ(integer(1'700'000'000), 1'700'000'000'000'000);
    EXPECT_EQ(integer(253'402'300'799), 253'402'300'799'000'000);
}

TEST(NumericDate, reads_fractions_and_exponents_exactly) {
    EXPECT_EQ(real("1.5"), 1'500'000);
    EXPECT_EQ(real("0.000001"), 1);
    EXPECT_EQ(real("1e-6"), 1);
    EXPECT_EQ(real("1.7e9"), 1'700'000'000'000'000);
    EXPECT_EQ(real("1.7E+9"), 1'700'000'000'000'000);
    EXPECT_EQ(real("17000000000000e-4"), 1'700'000'000'000'000);
    EXPECT_EQ(real("1700000000.123456"), 1'700'000'000'123'456);
    EXPECT_EQ(real("0.17e10"), 1'700'000'000'000'000);
    EXPECT_EQ(real("0.0000000017e18"), 1'700'000'000'000'000);
    EXPECT_EQ(real("253402300799.999999"), 253'402'300'799'999'999);
}

TEST(NumericDate, rounds_down) {
    EXPECT_EQ(real("1.9999999999"), 1'999'999);
    EXPECT_EQ(real("1700000000.9999999"), 1'700'000'000'999'999);
    EXPECT_EQ(real("253402300799.9999999"), 253'402'300'799'999'999);
}

TEST(NumericDate, begins_with_the_epoch) {
    EXPECT_EQ(integer(0), 0);
    for (const char *text : {"0.0", "1e-7", "0.0000009", "1e-400", "0e308"})
        EXPECT_EQ(real(text), 0) << text;
}

TEST(NumericDate, refuses_what_is_no_usable_time) {
    for (const std::int64_t value : {std::int64_t{-1}, std::int64_t{253'402'300'800},
                                     std::int64_t{9'007'199'254'740'992}, INT64_MAX, INT64_MIN})
        EXPECT_EQ(integer(value), std::nullopt) << value;
    for (const char *text : {"-1.5", "-0.0", "1e-99999999999", "253402300800.0", "1e12", "1e308",
                             "1e401", "1e99999999999"})
        EXPECT_EQ(real(text), std::nullopt) << text;
    for (const auto kind :
         {JsonValue::Kind::null, JsonValue::Kind::boolean, JsonValue::Kind::string,
          JsonValue::Kind::object, JsonValue::Kind::array})
        EXPECT_EQ(numeric_date_us({.kind = kind, .truth = true, .integer = 5, .text = "5.0"}),
                  std::nullopt);
}

} // namespace
} // namespace tenancy::core
