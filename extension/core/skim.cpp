#include "core/skim.hpp"

#include <charconv>
#include <cstddef>
#include <system_error>

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

// `at` is behind a member's name: where its value begins.
std::optional<std::size_t> value_at(std::string_view json, std::size_t at) {
    skip_space(json, at);
    if (at == json.size() || json[at] != ':')
        return std::nullopt;
    skip_space(json, ++at);
    return at < json.size() ? std::optional(at) : std::nullopt;
}

// Letters have one escape, \uXXXX (RFC 8259 section 7). What is not one differs from every name.
char take_escape(std::string_view text, std::size_t &at) {
    constexpr std::size_t kDigits = 4;
    const std::string_view escape = text.substr(at, 2 + kDigits);
    unsigned letter = 0;
    at += escape.size();
    if (escape.size() != 2 + kDigits || escape[1] != 'u')
        return '\0';
    const char *end = escape.data() + escape.size();
    const auto read = std::from_chars(escape.data() + 2, end, letter, 16);
    return read.ec == std::errc() && read.ptr == end && letter < 128 ? static_cast<char>(letter)
                                                                     : '\0';
}

// Whether the text between two quotes spells `name`, which is of letters.
bool spells(std::string_view text, std::string_view name) {
    std::size_t at = 0;
    for (const char letter : name) {
        if (at >= text.size())
            return false;
        const char c = text[at] == '\\' ? take_escape(text, at) : text[at++];
        if (c != letter)
            return false;
    }
    return at == text.size();
}

// Where the value of the first member `name` of the outermost object begins.
std::optional<std::size_t> find_value(std::string_view json, std::string_view name) {
    std::size_t depth = 0;
    bool is_name_next = false; // the next string at depth 1 is a member's name
    for (std::size_t at = 0; at < json.size();) {
        const char c = json[at++];
        if (c == '"') {
            const std::string_view text = take_string(json, at);
            if (depth == 1 && is_name_next && spells(text, name))
                return value_at(json, at);
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

} // namespace

std::optional<std::string_view> skim_string(std::string_view json, std::string_view name) {
    const auto begin = find_value(json, name);
    if (!begin || json[*begin] != '"')
        return std::nullopt;
    std::size_t at = *begin + 1;
    return take_string(json, at);
}

std::optional<std::int64_t> skim_integer(std::string_view json, std::string_view name) {
    constexpr std::string_view kEnd = ",} \t\r\n";
    const auto begin = find_value(json, name);
    if (!begin)
        return std::nullopt;
    std::int64_t number = 0;
    const char *end = json.data() + json.size();
    const auto read = std::from_chars(json.data() + *begin, end, number);
    const bool is_whole =
        read.ec == std::errc() && read.ptr != end && kEnd.find(*read.ptr) != std::string_view::npos;
    return is_whole ? std::optional(number) : std::nullopt;
}

} // namespace tenancy::core
