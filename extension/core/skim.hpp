// A quick look at JSON that nothing is known about yet: cheap enough to refuse by, never enough to
// accept by.
#pragma once

#include "core/pure.hpp"

#include <optional>
#include <string_view>

namespace tenancy::core {

/// The string value of the first member `name` of the outermost object, when both are spelled
/// without escapes. Right for every text that read_json_object() accepts; anything may come out of
/// others, so what is not refused by it must still be parsed. Nothing found says nothing. About 1
/// ns per byte.
std::optional<std::string_view> skim_member(std::string_view json, std::string_view name);

} // namespace tenancy::core
