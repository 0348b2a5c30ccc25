// Tokens that count once: tenancy.used_tokens, written by the transaction that uses one.
#pragma once

#include "pg/postgres.hpp"

#include <cstdint>

namespace tenancy::pg {

// Uses the token in this transaction. True when this is its first use, or this very transaction has
// used it before; false when one that committed has. Waits for another that is using it, within
// lock_timeout. `expires_us` (Unix microseconds) is its exp, for the purge. 25006 in a read-only
// transaction and on a standby: the use could not be written down.
bool use_once(const char *issuer, const char *token_id, std::int64_t expires_us);

} // namespace tenancy::pg
