// From a token to a verdict: the proof (shape, signature, claims) is found again or made, the
// standing of tenant and token is looked up.
#pragma once

#include "pg/postgres.hpp"

#include "core/code.hpp"
#include "pg/verdict.hpp"

namespace tenancy::pg {

// Judges the token and fills in `verdict`, which comes in as zeros; any other code than `ok` is the
// reason of a refusal. `generation` is what registry_refresh() just returned. May ereport() (out of
// memory, I/O).
core::Code verify_token(Verdict &verdict, const char *token, uint64 generation,
                        std::int64_t now_us);

} // namespace tenancy::pg
