// Counters of token verification in shared memory, over all databases of the server since it
// started.
#pragma once

#include "pg/postgres.hpp"

#include "core/code.hpp"

namespace tenancy::pg {

// How an accepted token was dealt with, and what that did to the shared cache.
enum class TokenEvent { verified, shared_hit, local_hit, eviction };
inline constexpr int kTokenEvents = 4;

// From the hooks of shared memory.
void token_stats_request();
void token_stats_attach();

// Without shared memory these do nothing and zero is read.
void token_stats_count(TokenEvent);
void token_stats_count_refusal(core::Code);
uint64 token_stats_read(TokenEvent);
uint64 token_stats_read_refusals(core::Code);

// Takes one of the `most` log lines of this second (of the Unix epoch); false when they are used
// up. Sets how many were denied since the last one that was taken.
bool token_stats_take_line(uint64 second, uint64 most, uint64 &skipped);

} // namespace tenancy::pg
