// Views of bytes at the border between std::string_view and OpenSSL.
#pragma once

#include "core/pure.hpp"

#include <array>
#include <cstddef>
#include <string_view>

namespace tenancy::core {

/// A SHA-256 digest.
using Sha256 = std::array<unsigned char, 32>;

/// The same bytes as OpenSSL wants to see them.
inline const unsigned char *bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char *>(text.data());
}

/// The same bytes as the rest of the core wants to see them.
inline std::string_view view_of(const unsigned char *bytes, std::size_t size) {
    return {reinterpret_cast<const char *>(bytes), size};
}

} // namespace tenancy::core
