#include "pg/postgres.hpp"

#include "pg/verdict.hpp"

#include <cstring>

namespace tenancy::pg {

namespace {

// Buckets of four entries, chosen by the digest's first bytes: a probe touches one bucket, and who
// floods the cache with own tokens cannot make a look-up slower.
constexpr std::size_t kWays = 4;
constexpr std::size_t kBuckets = 32;

struct Entry {
    core::Sha256 digest;
    std::int64_t used_us; // 0 = empty
    Verdict verdict;
};

Entry *entries = nullptr;

Entry *bucket_of(const core::Sha256 &digest) {
    std::uint32_t hash = 0;
    std::memcpy(&hash, digest.data(), sizeof hash);
    return entries + (hash % kBuckets) * kWays;
}

} // namespace

const Verdict *verdict_cache_find(const core::Sha256 &digest, std::int64_t now_us) {
    if (entries == nullptr)
        return nullptr;
    Entry *bucket = bucket_of(digest);
    for (std::size_t i = 0; i < kWays; i++) {
        Entry &entry = bucket[i];
        if (entry.used_us == 0 || entry.digest != digest)
            continue;
        if (now_us < entry.used_us || !proof_is_in_time(entry.verdict.proof, now_us)) {
            entry.used_us = 0;
            return nullptr;
        }
        entry.used_us = now_us;
        return &entry.verdict;
    }
    return nullptr;
}

void verdict_cache_store(const core::Sha256 &digest, const Verdict &verdict, std::int64_t now_us) {
    if (entries == nullptr)
        entries = static_cast<Entry *>(
            MemoryContextAllocZero(TopMemoryContext, sizeof(Entry) * kBuckets * kWays));
    Entry *bucket = bucket_of(digest);
    Entry *oldest = bucket;
    for (std::size_t i = 0; i < kWays; i++) {
        if (bucket[i].digest == digest)
            bucket[i].used_us = 0; // judged anew
        if (bucket[i].used_us < oldest->used_us)
            oldest = bucket + i;
    }
    oldest->digest = digest;
    oldest->verdict = verdict;
    oldest->used_us = now_us;
}

} // namespace tenancy::pg
