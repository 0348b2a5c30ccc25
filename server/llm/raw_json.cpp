#include "raw_json.hpp"

#include <algorithm>

namespace tenancy::server::llm {

namespace {

constexpr std::string_view kSpace = " \t\r\n";

std::size_t skip_space(std::string_view text, std::size_t at) {
    return std::min(text.find_first_not_of(kSpace, at), text.size());
}

// Behind the string that begins at `at`.
std::size_t skip_string(std::string_view text, std::size_t at) {
    for (++at; at < text.size() && text[at] != '"'; ++at)
        if (text[at] == '\\')
            ++at;
    return std::min(at + 1, text.size());
}

// Behind the value that begins at `at`.
std::size_t skip_value(std::string_view text, std::size_t at) {
    std::size_t depth = 0;
    while (at < text.size()) {
        const char c = text[at];
        if (c == '"') {
            at = skip_string(text, at);
            if (depth == 0)
                return at;
            continue;
        }
        if (depth == 0 &&
            (c == ',' || c == '}' || c == ']' || kSpace.find(c) != std::string_view::npos))
            return at; // of a number or a literal
        if (c == '{' || c == '[')
            ++depth;
        ++at;
        if ((c == '}' || c == ']') && --depth == 0)
            return at;
    }
    return at;
}

} // namespace

std::vector<RawMember> raw_members(std::string_view text) {
    std::vector<RawMember> members;
    std::size_t at = skip_space(text, 0);
    if (at == text.size() || text[at] != '{')
        return members;
    at = skip_space(text, at + 1);
    while (at < text.size() && text[at] == '"') {
        const std::size_t name = at;
        at = skip_string(text, at);
        const std::string_view found = text.substr(name, at - name);
        at = skip_space(text, skip_space(text, at) + 1); // the colon
        const std::size_t value = at;
        at = skip_value(text, at);
        members.push_back({found, text.substr(value, at - value), text.substr(name, at - name)});
        at = skip_space(text, skip_space(text, at) + 1); // the comma or the end
    }
    return members;
}

std::string_view raw_member(std::string_view text, std::string_view name) {
    std::string_view value;
    for (const RawMember &member : raw_members(text))
        if (member.name.size() == name.size() + 2 && member.name.substr(1, name.size()) == name)
            value = member.value;
    return value;
}

std::string_view first_raw_element(std::string_view text) {
    const std::size_t open = skip_space(text, 0);
    if (open == text.size() || text[open] != '[')
        return {};
    const std::size_t at = skip_space(text, open + 1);
    return text.substr(at, skip_value(text, at) - at);
}

void in_one_line(std::string &text) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
}

} // namespace tenancy::server::llm
