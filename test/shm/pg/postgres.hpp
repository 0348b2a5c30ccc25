// Stands before extension/pg/postgres.hpp on the include path of these tests: what the two caches
// use of PostgreSQL, on threads instead of processes, so that the thread sanitizer sees every
// access to memory that no lock orders. Locks are real ones; atomics are as weak as PostgreSQL's.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

using Size = std::size_t;
using uint32 = std::uint32_t;
using uint64 = std::uint64_t;

struct pg_atomic_uint64 {
    std::atomic<uint64> value;
};
struct pg_atomic_uint32 {
    std::atomic<uint32> value;
};

inline void pg_atomic_init_u64(pg_atomic_uint64 *at, uint64 value) {
    at->value.store(value, std::memory_order_relaxed);
}
inline void pg_atomic_init_u32(pg_atomic_uint32 *at, uint32 value) {
    at->value.store(value, std::memory_order_relaxed);
}
inline uint64 pg_atomic_read_u64(pg_atomic_uint64 *at) {
    return at->value.load(std::memory_order_relaxed);
}
inline void pg_atomic_write_u64(pg_atomic_uint64 *at, uint64 value) {
    at->value.store(value, std::memory_order_relaxed);
}
inline void pg_atomic_write_u32(pg_atomic_uint32 *at, uint32 value) {
    at->value.store(value, std::memory_order_relaxed);
}
inline uint32 pg_atomic_exchange_u32(pg_atomic_uint32 *at, uint32 value) {
    return at->value.exchange(value);
}

struct LWLock {
    pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
};
struct LWLockPadded {
    LWLock lock;
};
enum LWLockMode { LW_EXCLUSIVE, LW_SHARED };

inline LWLock shim_init_lock;
inline LWLock *const AddinShmemInitLock = &shim_init_lock; // NOLINT: PostgreSQL's name

inline void LWLockAcquire(LWLock *lock, LWLockMode mode) { // NOLINT
    if (mode == LW_SHARED)
        pthread_rwlock_rdlock(&lock->lock);
    else
        pthread_rwlock_wrlock(&lock->lock);
}
inline void LWLockRelease(LWLock *lock) { // NOLINT
    pthread_rwlock_unlock(&lock->lock);
}

inline constexpr int kShimLocks = 64;
inline LWLockPadded shim_locks[kShimLocks];

inline void RequestAddinShmemSpace(Size) {}                 // NOLINT
inline void RequestNamedLWLockTranche(const char *, int) {} // NOLINT
inline LWLockPadded *GetNamedLWLockTranche(const char *) {  // NOLINT
    return shim_locks;
}
inline void *ShmemInitStruct(const char *, Size size, bool *found) { // NOLINT
    *found = false;
    return std::calloc(1, size);
}

inline void *const TopMemoryContext = nullptr;           // NOLINT
inline void *MemoryContextAllocZero(void *, Size size) { // NOLINT
    return std::calloc(1, size);
}
