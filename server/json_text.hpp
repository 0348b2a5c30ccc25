// JSON as text: checks a body and adds members to it without taking it apart, so that what the
// database gets is what the client sent, to the last digit.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tenancy::server {

using Members = std::vector<std::pair<std::string, std::string>>;

/// More than 128 levels of brackets: the JSON library prints by recursion and would run out of
/// stack.
bool is_nested_too_deep(std::string_view text);

struct JsonDefect {
    std::string reason; // one English sentence that quotes nothing of the text
    std::string loc;    // where, as the JSON array that FastAPI puts there: ["body","messages",0]
};

/// Nothing when `text` is one JSON value of at most 128 levels that the database can store.
std::optional<JsonDefect> json_defect(std::string_view text);

/// True when a text that passed json_defect() is an object.
bool is_json_object(std::string_view text);

/// `object` with string members appended. They win over members of the same name, because the last
/// of two equal names counts in jsonb. `object` must have passed is_json_object().
std::string with_members(std::string_view object, const Members &members);

} // namespace tenancy::server
