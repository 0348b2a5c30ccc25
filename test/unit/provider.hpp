// Which OpenSSL provider a test program runs with.
#pragma once

#include "core/crypto.hpp"

#include <cstdlib>

namespace tenancy::test {

/// The default one; with FIPS_CONFIG in the environment the FIPS provider that this configuration
/// file of OpenSSL activates, and no other.
inline core::CryptoOptions options_from_environment() {
    core::CryptoOptions options;
    const char *fips_config = std::getenv("FIPS_CONFIG");
    options.require_fips = fips_config != nullptr;
    if (options.require_fips)
        options.config_file = fips_config;
    return options;
}

} // namespace tenancy::test
