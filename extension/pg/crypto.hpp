// The one Crypto of the server: made in the postmaster when the module is loaded, inherited by
// every backend.
#pragma once

#include "pg/postgres.hpp"

#include "core/crypto.hpp"

namespace tenancy::pg {

// Defines tenancy.fips and tenancy.fips_config, and loads the provider they ask for. If it cannot
// be had, the server starts all the same, with a WARNING, and every token is refused.
void crypto_initialize();

// nullptr when the provider could not be had.
const core::Crypto *server_crypto();

// Why server_crypto() is nullptr, as the reason of a refusal; `ok` when it is not.
core::Code crypto_trouble();

} // namespace tenancy::pg
