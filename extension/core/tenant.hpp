// What a tenant may be called.
#pragma once

#include "core/pure.hpp"

#include "core/code.hpp"

#include <string_view>

namespace tenancy::core {

/// Our own name of a tenant: ^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$, matched as bytes.
/// Error: tenant_id_malformed.
Code check_tenant_id(std::string_view id);

/// An issuer's name of a tenant: 1..255 bytes of valid UTF-8, no control, bidirectional-format or
/// line separator characters, no space of any kind at either end. No normalization: bytes are the
/// identity. Error: tenant_claim_malformed.
Code check_claim_value(std::string_view value);

} // namespace tenancy::core
