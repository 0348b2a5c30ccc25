// ${NAME} in configuration values.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace tenancy::server {

/// Looks a variable up; nothing when it is not set.
using Environment = std::function<std::optional<std::string>(const std::string &name)>;

/// The process environment.
std::optional<std::string> process_environment(const std::string &name);

struct Expanded {
    std::string text;
    std::string error; // empty when all went well; names the variable, never its value
};

/// Replaces ${NAME}, ${NAME:-default} (default when unset or empty) and ${NAME-default} (default
/// when unset), as a POSIX shell does. A variable without value and default is an error. "$${"
/// gives "${". It works on one parsed value at a time, so that a variable's text can never become
/// YAML.
Expanded expand_environment(std::string_view value, const Environment &environment);

} // namespace tenancy::server
