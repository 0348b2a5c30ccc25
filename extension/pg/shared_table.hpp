// A hash table in shared memory whose entries are changed by atomic operations only. An entry is
// used under the shared lock of its partition; making and dropping entries takes every partition.
#pragma once

#include "pg/postgres.hpp"

#include <cstring>
#include <type_traits>

namespace tenancy::pg {

// Entry begins with a member `key` of type Key; both are plain data without padding in the key.
template <class Key, class Entry>
class SharedTable {
    static_assert(std::is_trivially_copyable_v<Key> && std::is_standard_layout_v<Entry>);

public:
    constexpr explicit SharedTable(const char *name) : name_(name) {}

    // In the postmaster, from the hook that asks for memory.
    void request(int max_entries) {
        max_entries_ = max_entries;
        RequestAddinShmemSpace(hash_estimate_size(max_entries, sizeof(Entry)));
        RequestNamedLWLockTranche(name_, kPartitions);
    }

    // In the postmaster, from the hook that runs once the memory is there. Children inherit it.
    void attach() {
        HASHCTL layout{};
        layout.keysize = sizeof(Key);
        layout.entrysize = sizeof(Entry);
        layout.num_partitions = kPartitions;
        LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
        table_ = ShmemInitHash(name_, max_entries_, max_entries_, &layout,
                               HASH_ELEM | HASH_BLOBS | HASH_PARTITION | HASH_FIXED_SIZE);
        locks_ = GetNamedLWLockTranche(name_);
        LWLockRelease(AddinShmemInitLock);
    }

    bool is_ready() const { return table_ != nullptr; }

    // Calls fn(Entry &) if there is such an entry; says whether there was. fn must not raise.
    template <class Fn>
    bool with(const Key &key, Fn fn) {
        const uint32 hash = get_hash_value(table_, &key);
        LWLock *lock = &locks_[hash % kPartitions].lock;
        LWLockAcquire(lock, LW_SHARED);
        auto *entry = static_cast<Entry *>(
            hash_search_with_hash_value(table_, &key, hash, HASH_FIND, nullptr));
        if (entry != nullptr)
            fn(*entry);
        LWLockRelease(lock);
        return entry != nullptr;
    }

    // Makes the entry and calls init(Entry &), unless there is one already. When the table is full,
    // make_room() is called once with all partitions locked. False: still full.
    template <class Init, class MakeRoom>
    bool create(const Key &key, Init init, MakeRoom make_room) {
        lock_all(LW_EXCLUSIVE);
        bool found = false;
        auto *entry = static_cast<Entry *>(hash_search(table_, &key, HASH_ENTER_NULL, &found));
        if (entry == nullptr) {
            make_room();
            entry = static_cast<Entry *>(hash_search(table_, &key, HASH_ENTER_NULL, &found));
        }
        if (entry != nullptr && !found)
            init(*entry);
        unlock_all();
        return entry != nullptr;
    }

    // Drops the entries for which idle(entry) holds; says how many. For make_room() only.
    template <class Idle>
    int drop_if(Idle idle) {
        HASH_SEQ_STATUS scan;
        int dropped = 0;
        hash_seq_init(&scan, table_);
        for (auto *entry = next(scan); entry != nullptr; entry = next(scan))
            if (idle(*entry)) {
                hash_search(table_, &entry->key, HASH_REMOVE, nullptr);
                ++dropped;
            }
        return dropped;
    }

    // As drop_if(), taking the locks.
    template <class Idle>
    void remove_if(Idle idle) {
        lock_all(LW_EXCLUSIVE);
        (void)drop_if(idle);
        unlock_all();
    }

    // Copies the entries into memory of the caller's context. Sets count.
    Entry *snapshot(int &count) {
        auto *copies =
            static_cast<Entry *>(palloc(sizeof(Entry) * static_cast<Size>(max_entries_)));
        HASH_SEQ_STATUS scan;
        count = 0;
        lock_all(LW_SHARED);
        hash_seq_init(&scan, table_);
        for (auto *entry = next(scan); entry != nullptr; entry = next(scan))
            std::memcpy(static_cast<void *>(copies + count++), entry, sizeof(Entry));
        unlock_all();
        return copies;
    }

private:
    static constexpr int kPartitions = 16; // a power of two, as dynahash demands

    static Entry *next(HASH_SEQ_STATUS &scan) {
        return static_cast<Entry *>(hash_seq_search(&scan));
    }

    void lock_all(LWLockMode mode) {
        for (int i = 0; i < kPartitions; i++)
            LWLockAcquire(&locks_[i].lock, mode);
    }

    void unlock_all() {
        for (int i = kPartitions; i > 0; i--)
            LWLockRelease(&locks_[i - 1].lock);
    }

    const char *name_;
    int max_entries_ = 0;
    HTAB *table_ = nullptr;
    LWLockPadded *locks_ = nullptr;
};

} // namespace tenancy::pg
