// Codes of the core become PostgreSQL errors here. No message ever holds a byte of a token.
#pragma once

#include "core/code.hpp"

namespace tenancy::pg {

// Raises the refusal of a token: PT401, or PT403 for a suspended tenant. The client gets one
// generic message; the reason goes to the server log only. Never returns.
[[noreturn]] void raise_refusal(core::Code why);

// Raises 22023 for a JSON Web Key Set an administrator gave. Never returns.
[[noreturn]] void raise_bad_jwks(core::Code why);

// Raises PT503 for a limiter that cannot decide: nothing passes unmetered. Never returns.
[[noreturn]] void raise_unavailable(const char *message, const char *hint);

} // namespace tenancy::pg
