#include "json_text.hpp"

#include <nlohmann/json.hpp>

namespace tenancy::server {

namespace {

constexpr std::string_view kSpace = " \t\r\n";
constexpr int kMaxDepth = 128;

// Deepest nesting of brackets outside strings, counted without recursion.
int depth_of(std::string_view text) {
    int depth = 0;
    int deepest = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\')
                ++i;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            deepest = std::max(deepest, ++depth);
        } else if (c == ']' || c == '}') {
            --depth;
        }
    }
    return deepest;
}

// PostgreSQL cannot store U+0000, and says so with the text around it in its log.
bool holds_nul_escape(std::string_view text) {
    for (std::size_t i = 0; i + 1 < text.size(); ++i)
        if (text[i] == '\\') {
            if (text.substr(i + 1, 5) == "u0000")
                return true;
            ++i;
        }
    return false;
}

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(kSpace);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

} // namespace

bool is_nested_too_deep(std::string_view text) {
    return depth_of(text) > kMaxDepth;
}

std::optional<std::string> json_defect(std::string_view text) {
    if (is_nested_too_deep(text))
        return "nested deeper than " + std::to_string(kMaxDepth) + " levels";
    if (holds_nul_escape(text))
        return "a string holds the character U+0000";
    if (nlohmann::json::accept(text))
        return std::nullopt;
    try {
        const auto parsed = nlohmann::json::parse(text);
    } catch (const nlohmann::json::parse_error &error) {
        return "not valid JSON near byte " + std::to_string(error.byte);
    } catch (const nlohmann::json::exception &) {
        return "a number is out of range";
    }
    return "not valid JSON";
}

bool is_json_object(std::string_view text) {
    const std::string_view value = trimmed(text);
    return !value.empty() && value.front() == '{';
}

std::string with_members(std::string_view object, const Members &members) {
    std::string_view inside = trimmed(object);
    inside = trimmed(inside.substr(1, inside.size() - 2));
    std::string text = "{";
    text += inside;
    bool first = inside.empty();
    for (const auto &[name, value] : members) {
        if (!first)
            text += ',';
        first = false;
        text += nlohmann::json(name).dump();
        text += ':';
        text +=
            nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    }
    text += '}';
    return text;
}

} // namespace tenancy::server
