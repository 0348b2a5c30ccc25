#include "core/skim.hpp"

#include <cstddef>

namespace tenancy::core {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

// `at` is behind the opening quote. The text up to the closing one, which `at` is moved behind.
std::string_view take_string(std::string_view json, std::size_t &at) {
    const std::size_t begin = at;
    for (;;) {
        const std::size_t end = json.find('"', at);
        if (end == std::string_view::npos) {
            at = json.size();
            return json.substr(begin);
        }
        at = end + 1;
        std::size_t slashes = 0;
        while (end - slashes > begin && json[end - slashes - 1] == '\\')
            ++slashes;
        if (slashes % 2 == 0)
            return json.substr(begin, end - begin);
    }
}

void skip_space(std::string_view json, std::size_t &at) {
    const std::size_t next = json.find_first_not_of(kSpace, at);
    at = next == std::string_view::npos ? json.size() : next;
}

// `at` is behind a member's name.
std::optional<std::string_view> take_value(std::string_view json, std::size_t at) {
    skip_space(json, at);
    if (at == json.size() || json[at] != ':')
        return std::nullopt;
    skip_space(json, ++at);
    if (at == json.size() || json[at] != '"')
        return std::nullopt;
    const std::string_view value = take_string(json, ++at);
    if (value.find('\\') != std::string_view::npos)
        return std::nullopt;
    return value;
}

} // namespace

std::optional<std::string_view> skim_member(std::string_view json, std::string_view name) {
    std::size_t depth = 0;
    bool is_name_next = false; // the next string at depth 1 is a member's name
    for (std::size_t at = 0; at < json.size();) {
        const char c = json[at++];
        if (c == '"') {
            if (take_string(json, at) == name && depth == 1 && is_name_next)
                return take_value(json, at);
            is_name_next = false;
        } else if (c == '{' || c == '[') {
            is_name_next = ++depth == 1;
        } else if (c == '}' || c == ']') {
            if (depth-- <= 1)
                return std::nullopt;
        } else if (c == ',') {
            is_name_next = depth == 1;
        }
    }
    return std::nullopt;
}

} // namespace tenancy::core
