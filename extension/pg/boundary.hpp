// The only door between C++ and PostgreSQL. C++ code that may throw runs inside run(); what comes
// out is plain data, so that ereport() may longjmp over it. Nothing in here calls PostgreSQL.
#pragma once

#include "core/code.hpp"
#include "core/result.hpp"

#include <new>
#include <type_traits>
#include <utility>

namespace tenancy::pg::boundary {

// What run() gives back: a value, or the code that says why there is none. Plain data.
template <class T>
struct Outcome {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
    bool ok = false;
    core::Code code = core::Code::internal_error;
    T value{};
};

// Calls fn, which returns core::Result<T> with T plain data and must not call anything that can
// ereport() (palloc_extended with MCXT_ALLOC_NO_OOM is the one exception). No C++ exception leaves;
// every C++ object is gone when it returns.
template <class Fn>
auto run(Fn &&fn) noexcept {
    using T = typename std::invoke_result_t<Fn>::value_type;
    Outcome<T> out;
    try {
        const auto result = std::forward<Fn>(fn)();
        if (result) {
            out.value = *result;
            out.ok = true;
        } else {
            out.code = result.error();
        }
    } catch (const std::bad_alloc &) {
        out.code = core::Code::out_of_memory;
    } catch (...) {
        out.code = core::Code::internal_error;
    }
    return out;
}

} // namespace tenancy::pg::boundary
