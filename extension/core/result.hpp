// Result<T>: a value or the reason why there is none.
#pragma once

#include "core/pure.hpp"

#include "core/code.hpp"

#include <optional>
#include <utility>

namespace tenancy::core {

/// Holds a T or a Code other than `ok`. Reading the value of a failed Result is undefined, as with
/// std::optional; test it first.
template <class T>
class [[nodiscard]] Result {
public:
    using value_type = T;

    Result(T value) : value_(std::move(value)) {}
    /// `ok` without a value is a programming error and becomes `internal_error`: never a success.
    Result(Code why) : code_(why == Code::ok ? Code::internal_error : why) {}

    explicit operator bool() const { return value_.has_value(); }
    T &operator*() & { return *value_; }
    const T &operator*() const & { return *value_; }
    T &&operator*() && { return *std::move(value_); }
    T *operator->() { return &*value_; }
    const T *operator->() const { return &*value_; }

    /// `ok` exactly when there is a value.
    Code error() const { return code_; }

private:
    std::optional<T> value_;
    Code code_ = Code::ok;
};

} // namespace tenancy::core
