#include "core/numeric_date.hpp"

#include <charconv>
#include <string_view>

namespace tenancy::core {
namespace {

constexpr std::int64_t kMicroseconds = 1'000'000;
constexpr std::int64_t kLastSecond = 253'402'300'799; // 9999-12-31T23:59:59Z
constexpr std::int64_t kLastMicrosecond = kLastSecond * kMicroseconds + (kMicroseconds - 1);

// The exponent behind 'e' or 'E'. from_chars takes no plus sign.
std::optional<int> exponent_of(std::string_view text) {
    if (text.starts_with('+'))
        text.remove_prefix(1);
    constexpr int kLargest = 400; // no double is beyond; keeps the loop below short
    int exponent = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), exponent);
    if (error != std::errc() || end != text.data() + text.size() || exponent > kLargest ||
        exponent < -kLargest)
        return std::nullopt;
    return exponent;
}

// `text` is a JSON number with a fraction or an exponent.
std::optional<std::int64_t> real_us(std::string_view text) {
    const std::size_t mark = text.find_first_of("eE");
    const std::string_view mantissa = text.substr(0, mark);
    const std::optional<int> exponent =
        mark == std::string_view::npos ? 0 : exponent_of(text.substr(mark + 1));
    if (!exponent || mantissa.starts_with('-'))
        return std::nullopt;
    const std::size_t whole = mantissa.find('.');
    const std::size_t whole_digits = whole == std::string_view::npos ? mantissa.size() : whole;
    // So many leading digits of the mantissa make up the whole microseconds.
    const std::int64_t wanted = static_cast<std::int64_t>(whole_digits) + *exponent + 6;
    std::int64_t us = 0;
    std::size_t next = 0;
    for (std::int64_t i = 0; i < wanted; ++i, ++next) {
        if (next == whole)
            ++next;
        const int digit = next < mantissa.size() ? mantissa[next] - '0' : 0;
        us = us * 10 + digit;
        if (us > kLastMicrosecond)
            return std::nullopt;
    }
    return us;
}

} // namespace

std::optional<std::int64_t> numeric_date_us(const JsonValue &value) {
    std::optional<std::int64_t> us;
    if (value.kind == JsonValue::Kind::integer && value.integer <= kLastSecond &&
        value.integer >= 0)
        us = value.integer * kMicroseconds;
    else if (value.kind == JsonValue::Kind::real)
        us = real_us(value.text);
    return us;
}

} // namespace tenancy::core
