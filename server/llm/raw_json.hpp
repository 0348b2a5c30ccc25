// Slices of JSON text, so that parts of it can be passed on byte for byte. Only for text that the
// JSON parser has accepted: nothing is checked again here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tenancy::server::llm {

struct RawMember {
    std::string_view name; // with its quotes, escapes as they are
    std::string_view value;
    std::string_view whole; // from the name to the value
};

/// The members of an object in their order; none for anything else.
std::vector<RawMember> raw_members(std::string_view text);

/// The value of the last member of that name (plain ASCII, written without escapes), as the parser
/// sees it; empty when there is none.
std::string_view raw_member(std::string_view text, std::string_view name);

/// The first element of an array; empty for anything else.
std::string_view first_raw_element(std::string_view text);

/// Makes a space of each line break: between two values it is only white space, inside a string
/// there is none.
void in_one_line(std::string &text);

} // namespace tenancy::server::llm
