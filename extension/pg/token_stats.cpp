#include "pg/postgres.hpp"

#include "pg/token_stats.hpp"

#include <cstdint>

namespace tenancy::pg {

namespace {

constexpr char kName[] = "pg_tenancy token counters";

struct TokenStats {
    pg_atomic_uint64 events[kTokenEvents];
    pg_atomic_uint64 refusals[core::kCodeCount];
    pg_atomic_uint64 log_window; // second << 32 | lines written in it
    pg_atomic_uint64 log_skipped;
};

TokenStats *stats = nullptr;

} // namespace

void token_stats_request() {
    RequestAddinShmemSpace(sizeof(TokenStats));
}

void token_stats_attach() {
    bool found = false;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    stats = static_cast<TokenStats *>(ShmemInitStruct(kName, sizeof(TokenStats), &found));
    if (!found) {
        for (auto &event : stats->events)
            pg_atomic_init_u64(&event, 0);
        for (auto &refusals : stats->refusals)
            pg_atomic_init_u64(&refusals, 0);
        pg_atomic_init_u64(&stats->log_window, 0);
        pg_atomic_init_u64(&stats->log_skipped, 0);
    }
    LWLockRelease(AddinShmemInitLock);
}

void token_stats_count(TokenEvent event) {
    if (stats != nullptr)
        pg_atomic_fetch_add_u64(&stats->events[static_cast<int>(event)], 1);
}

void token_stats_count_refusal(core::Code why) {
    if (stats != nullptr)
        pg_atomic_fetch_add_u64(&stats->refusals[static_cast<int>(why)], 1);
}

uint64 token_stats_read(TokenEvent event) {
    return stats == nullptr ? 0 : pg_atomic_read_u64(&stats->events[static_cast<int>(event)]);
}

uint64 token_stats_read_refusals(core::Code why) {
    return stats == nullptr ? 0 : pg_atomic_read_u64(&stats->refusals[static_cast<int>(why)]);
}

bool token_stats_take_line(uint64 second, uint64 most, uint64 &skipped) {
    if (stats == nullptr)
        return true;
    uint64 seen = pg_atomic_read_u64(&stats->log_window);
    for (;;) {
        const uint64 written = seen >> 32 == second ? seen & 0xffffffff : 0;
        if (written >= most) {
            pg_atomic_fetch_add_u64(&stats->log_skipped, 1);
            return false;
        }
        if (pg_atomic_compare_exchange_u64(&stats->log_window, &seen, second << 32 | (written + 1)))
            break;
    }
    skipped = pg_atomic_read_u64(&stats->log_skipped);
    pg_atomic_fetch_sub_u64(&stats->log_skipped, static_cast<std::int64_t>(skipped));
    return true;
}

} // namespace tenancy::pg
