// A quick look at JSON that nothing is known about yet: cheap enough to refuse by, never enough to
// accept by.
#pragma once

#include "core/pure.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace tenancy::core {

/// The string value of the first member `name`, which is of letters, of the outermost object: the
/// text between the quotes, its escapes as they stand. Right for every text that read_json_object()
/// accepts; anything may come out of others, so what is not refused by it must still be parsed.
/// About 1 ns per byte.
std::optional<std::string_view> skim_string(std::string_view json, std::string_view name);

/// The same for a value that is spelled as an integer; nothing for all others.
std::optional<std::int64_t> skim_integer(std::string_view json, std::string_view name);

} // namespace tenancy::core
