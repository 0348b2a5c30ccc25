#include "pg/postgres.hpp"

#include "pg/proof_cache.hpp"

#include "pg/token_stats.hpp"

#include <algorithm>
#include <cstring>

namespace tenancy::pg {

namespace {

constexpr char kName[] = "pg_tenancy proofs";
constexpr int kWays = 8;
constexpr int kLocks = 64;
constexpr std::int64_t kClockSlackUs = 1'000'000;

// digest and proof are written under the exclusive lock of the bucket and read under the shared
// one: no reader sees half of one. The two atomics change under the shared lock as well.
struct Entry {
    core::Sha256 digest;
    Proof proof;
    pg_atomic_uint64 used_us; // 0 = empty
    pg_atomic_uint32 was_used;
};

struct Bucket {
    Entry entries[kWays];
    uint32 hand;
};

int bucket_count = 0;
Bucket *buckets = nullptr;
LWLockPadded *locks = nullptr;

struct Place {
    Bucket *bucket;
    LWLock *lock;
};

Place place_of(const core::Sha256 &digest) {
    uint32 hash = 0;
    std::memcpy(&hash, digest.data(), sizeof hash);
    const uint32 index = hash % static_cast<uint32>(bucket_count);
    return {buckets + index, &locks[index % kLocks].lock};
}

std::int64_t used_us(Entry &entry) {
    return static_cast<std::int64_t>(pg_atomic_read_u64(&entry.used_us));
}

Entry *find(Bucket &bucket, const core::Sha256 &digest) {
    for (Entry &entry : bucket.entries)
        if (used_us(entry) != 0 && entry.digest == digest)
            return &entry;
    return nullptr;
}

// One turn takes every mark away, so the second finds one at the latest.
Entry &choose_victim(Bucket &bucket) {
    for (;;) {
        Entry &entry = bucket.entries[bucket.hand++ % kWays];
        if (used_us(entry) == 0)
            return entry;
        if (pg_atomic_exchange_u32(&entry.was_used, 0) == 0) {
            token_stats_count(TokenEvent::eviction);
            return entry;
        }
    }
}

} // namespace

void proof_cache_request(int entries) {
    bucket_count = (entries + kWays - 1) / kWays;
    RequestAddinShmemSpace(sizeof(Bucket) * static_cast<Size>(bucket_count));
    RequestNamedLWLockTranche(kName, kLocks);
}

void proof_cache_attach() {
    if (bucket_count == 0)
        return;
    const Size size = sizeof(Bucket) * static_cast<Size>(bucket_count);
    bool found = false;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    buckets = static_cast<Bucket *>(ShmemInitStruct(kName, size, &found));
    locks = GetNamedLWLockTranche(kName);
    if (!found) {
        std::memset(static_cast<void *>(buckets), 0, size);
        for (int i = 0; i < bucket_count; i++)
            for (Entry &entry : buckets[i].entries) {
                pg_atomic_init_u64(&entry.used_us, 0);
                pg_atomic_init_u32(&entry.was_used, 0);
            }
    }
    LWLockRelease(AddinShmemInitLock);
}

bool proof_cache_find(Proof &proof, const core::Sha256 &digest, std::int64_t now_us) {
    if (buckets == nullptr)
        return false;
    const Place place = place_of(digest);
    LWLockAcquire(place.lock, LW_SHARED);
    Entry *entry = find(*place.bucket, digest);
    const bool counts = entry != nullptr && used_us(*entry) <= now_us + kClockSlackUs;
    if (counts) {
        proof = entry->proof;
        pg_atomic_write_u64(&entry->used_us,
                            static_cast<uint64>(std::max(used_us(*entry), now_us)));
        pg_atomic_write_u32(&entry->was_used, 1);
    }
    LWLockRelease(place.lock);
    return counts;
}

void proof_cache_store(const core::Sha256 &digest, const Proof &proof, std::int64_t now_us) {
    if (buckets == nullptr)
        return;
    const Place place = place_of(digest);
    LWLockAcquire(place.lock, LW_EXCLUSIVE);
    Entry *entry = find(*place.bucket, digest);
    if (entry == nullptr)
        entry = &choose_victim(*place.bucket);
    entry->digest = digest;
    entry->proof = proof;
    pg_atomic_write_u64(&entry->used_us, static_cast<uint64>(now_us));
    pg_atomic_write_u32(&entry->was_used, 0);
    LWLockRelease(place.lock);
}

} // namespace tenancy::pg
