// Makes GoogleTest print codes by name.
#pragma once

#include "core/code.hpp"

#include <ostream>

namespace tenancy::core {

inline void PrintTo(Code code, std::ostream *out) {
    *out << code_name(code);
}

} // namespace tenancy::core
