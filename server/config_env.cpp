#include "config_env.hpp"

#include <algorithm>
#include <cstdlib>

namespace tenancy::server {

namespace {

bool is_name(std::string_view name) {
    const auto is_letter = [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
    };
    return !name.empty() && is_letter(name.front()) &&
           std::all_of(name.begin(), name.end(),
                       [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

// Appends the value of one reference (the text between the braces); false leaves an error.
bool expand_one(std::string_view reference, const Environment &environment, Expanded &out) {
    const std::size_t dash = reference.find('-');
    const bool has_default = dash != std::string_view::npos;
    const bool empty_counts_as_unset = has_default && dash > 0 && reference[dash - 1] == ':';
    const std::string name(
        reference.substr(0, has_default ? dash - (empty_counts_as_unset ? 1 : 0) : dash));
    if (!is_name(name)) {
        out.error = "${...} does not hold the name of a variable. Write ${NAME} or "
                    "${NAME:-default}.";
        return false;
    }
    const std::optional<std::string> value = environment(name);
    if (value && !(empty_counts_as_unset && value->empty())) {
        out.text += *value;
    } else if (has_default) {
        out.text += reference.substr(dash + 1);
    } else {
        out.error = "environment variable " + name + " is not set. Set it, or write ${" + name +
                    ":-default}.";
        return false;
    }
    return true;
}

} // namespace

std::optional<std::string> process_environment(const std::string &name) {
    const char *value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

Expanded expand_environment(std::string_view value, const Environment &environment) {
    Expanded out;
    while (!value.empty()) {
        const std::size_t start = value.find("${");
        if (start == std::string_view::npos) {
            out.text += value;
            break;
        }
        if (start > 0 && value[start - 1] == '$') {
            out.text += value.substr(0, start - 1);
            out.text += "${";
            value.remove_prefix(start + 2);
            continue;
        }
        const std::size_t end = value.find('}', start);
        if (end == std::string_view::npos) {
            out.error = R"("${" without its "}". Close it, or write "$${" for the characters.)";
            return out;
        }
        out.text += value.substr(0, start);
        if (!expand_one(value.substr(start + 2, end - start - 2), environment, out))
            return out;
        value.remove_prefix(end + 1);
    }
    return out;
}

} // namespace tenancy::server
