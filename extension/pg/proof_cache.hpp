// Proofs that some backend of this server has made, in shared memory: a token costs its signature
// check once, not once per pooled connection. Found by the SHA-256 of the token; no token is kept.
// Whether a proof still counts is for the reader to say: its times, and its fingerprint against the
// reader's own registry, which makes it right after a change of keys, on a standby and after a
// promotion.
#pragma once

#include "pg/postgres.hpp"

#include "pg/verdict.hpp"

#include <cstdint>

namespace tenancy::pg {

// From the hooks of shared memory. `entries` is rounded to whole buckets; 0: there is no cache.
void proof_cache_request(int entries);
void proof_cache_attach();

// Copies the proof out; false when there is none, or when it was used more than a second later than
// now_us: the clock has stepped back.
bool proof_cache_find(Proof &proof, const core::Sha256 &digest, std::int64_t now_us);

// Remembers a proof, in place of one that was not used lately (CLOCK within its bucket).
void proof_cache_store(const core::Sha256 &digest, const Proof &proof, std::int64_t now_us);

} // namespace tenancy::pg
