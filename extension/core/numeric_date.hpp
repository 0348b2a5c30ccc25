// NumericDate of RFC 7519 section 2, read exactly.
#pragma once

#include "core/pure.hpp"

#include "core/json.hpp"

#include <cstdint>
#include <optional>

namespace tenancy::core {

/// Seconds since the epoch, as an integer or with fraction and exponent, to whole microseconds,
/// rounded down and never through floating point: a token must not live longer than it says.
/// Nothing for what is not a number, is before the epoch, or is later than the year 9999.
std::optional<std::int64_t> numeric_date_us(const JsonValue &value);

} // namespace tenancy::core
