// What happened to each key and issuer, in shared memory since the server started. Only keys and
// issuers of the registry get an entry, so no token can fill the table.
#pragma once

#include "pg/postgres.hpp"

#include "core/bytes.hpp"
#include "pg/shared_table.hpp"

#include <cstdint>

namespace tenancy::pg {

enum class UseKind : uint32 {
    key = 1,        // a token verified by the key
    unknown_kid = 2 // a token of the issuer named a key that is not there
};

// Hashed as raw bytes; there is no padding.
struct UseKey {
    Oid database;
    UseKind kind;
    core::Sha256 subject; // identity of the key; SHA-256 of the issuer's name
};
static_assert(sizeof(UseKey) == sizeof(Oid) + sizeof(UseKind) + sizeof(core::Sha256));

struct Use {
    UseKey key;
    pg_atomic_uint64 count;
    pg_atomic_uint64 last_us; // Unix microseconds
};

inline constexpr int kMaxUses = 8192;

SharedTable<UseKey, Use> &uses_table();

// Counts one use in this database. Nothing is counted when the table is full or not there.
void use_count(UseKind, const core::Sha256 &subject, std::int64_t now_us);

} // namespace tenancy::pg
