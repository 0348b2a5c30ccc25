// Unpredictable identifiers.
#pragma once

#include <cstddef>
#include <string>

namespace tenancy::server {

/// `bytes` random bytes from OpenSSL's generator as 2 * bytes lower-case hex digits.
/// Throws std::runtime_error when the generator has no entropy (the process cannot work then).
std::string random_hex(std::size_t bytes);

} // namespace tenancy::server
