// A string that must not reach a log, an error message or a core of text by accident.
// There is deliberately no operator<<, no formatter and no implicit conversion.
#pragma once

#include <string>
#include <utility>

namespace tenancy::server {

class Secret {
public:
    Secret() = default;
    explicit Secret(std::string value) : value_(std::move(value)) {}

    /// The bytes themselves; call it only where they are handed to the library that needs them.
    const std::string &reveal() const { return value_; }
    bool empty() const { return value_.empty(); }
    /// Of two configurations; not for judging what a client sent, as it stops at the first
    /// difference.
    bool operator==(const Secret &) const = default;

private:
    std::string value_;
};

} // namespace tenancy::server
