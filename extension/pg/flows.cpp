#include "pg/postgres.hpp"

#include "pg/flows.hpp"

#include "pg/errors.hpp"

#include <algorithm>
#include <cstring>

namespace tenancy::pg {

namespace {

constexpr std::int64_t kNsPerUs = 1000;
constexpr std::int64_t kYearUs = 365 * USECS_PER_DAY; // no limit looks back as far

SharedTable<FlowKey, Flow> table("pg_tenancy flows");
SharedTable<FlowKey, Flow> subject_table("pg_tenancy subject flows");

SharedTable<FlowKey, Flow> &table_of(FlowKind kind) {
    return kind == FlowKind::subject_requests ? subject_table : table;
}

FlowKey key_of(const char *owner, FlowKind kind) {
    FlowKey key;
    std::memset(&key, 0, sizeof key);
    key.database = MyDatabaseId;
    key.kind = kind;
    strlcpy(key.owner, owner, sizeof key.owner);
    return key;
}

// Drops the flows whose arrival time is at or before the given one; says how many.
int drop_until(SharedTable<FlowKey, Flow> &flows, uint64 arrival_ns) {
    return flows.drop_if(
        [&](Flow &flow) { return pg_atomic_read_u64(&flow.arrival_ns) <= arrival_ns; });
}

// Drops those who owe less than the average, about half: enough that a full table is not scanned
// for every new subject. Who owes most stays, or one could have his debt forgotten by bringing
// others.
void forget_least_indebted(std::int64_t now_ns) {
    const auto now = static_cast<uint64>(now_ns);
    double owed_ns = 0;
    int count = 0;
    uint64 latest = 0;
    (void)subject_table.drop_if([&](Flow &flow) {
        const uint64 arrival = pg_atomic_read_u64(&flow.arrival_ns);
        latest = std::max(latest, arrival);
        owed_ns += static_cast<double>(arrival - now);
        count++;
        return false;
    });
    if (count > 0 && drop_until(subject_table, now + static_cast<uint64>(owed_ns / count)) == 0)
        (void)drop_until(subject_table, latest); // all owe the same
}

void create(const FlowKey &key, std::int64_t now_ns) {
    SharedTable<FlowKey, Flow> &flows = table_of(key.kind);
    const bool created = flows.create(
        key, [](Flow &flow) { pg_atomic_init_u64(&flow.arrival_ns, 0); },
        [&] {
            // A flow whose burst is whole again means the same as no flow.
            if (drop_until(flows, static_cast<uint64>(now_ns)) == 0 &&
                key.kind == FlowKind::subject_requests)
                forget_least_indebted(now_ns);
        });
    if (!created)
        raise_unavailable("rate limiter has no room for another tenant",
                          "Raise tenancy.max_flows and restart the server.");
}

// Replaces the arrival time by what `next` makes of it, with no other decision in between.
template <class Next>
void update(Flow &flow, Next next) {
    uint64 seen = pg_atomic_read_u64(&flow.arrival_ns);
    while (!pg_atomic_compare_exchange_u64(
        &flow.arrival_ns, &seen, static_cast<uint64>(next(static_cast<std::int64_t>(seen))))) {
    }
}

void require_table() {
    if (!table.is_ready())
        raise_unavailable("rate limiter is not ready",
                          "Restart the server with pg_tenancy in shared_preload_libraries.");
}

} // namespace

SharedTable<FlowKey, Flow> &flows_table() {
    return table;
}

SharedTable<FlowKey, Flow> &subject_flows_table() {
    return subject_table;
}

core::GcraDecision flows_take(const char *owner, FlowKind kind, const core::GcraLimit &limit,
                              std::int64_t cost) {
    require_table();
    const FlowKey key = key_of(owner, kind);
    core::GcraDecision decision;
    for (;;) {
        const std::int64_t now_ns = wall_clock_us() * kNsPerUs;
        const auto decide = [&](std::int64_t arrival_ns) {
            decision = core::gcra_decide(limit, arrival_ns, now_ns, cost);
            return decision.arrival_ns;
        };
        if (table_of(kind).with(key, [&](Flow &flow) { update(flow, decide); }))
            return decision;
        create(key, now_ns);
    }
}

void flows_give_back(const char *owner, FlowKind kind, const core::GcraLimit &limit,
                     std::int64_t units, std::int64_t taken_us) {
    require_table();
    const std::int64_t now_us = wall_clock_us();
    const std::int64_t now_ns = now_us * kNsPerUs;
    const std::int64_t age_us = std::clamp<std::int64_t>(now_us - taken_us, 0, kYearUs);
    const std::int64_t left = units - age_us * kNsPerUs / limit.interval_ns;
    (void)table_of(kind).with(key_of(owner, kind), [&](Flow &flow) {
        update(flow, [&](std::int64_t arrival_ns) {
            return core::gcra_give_back(limit, arrival_ns, now_ns, left);
        });
    });
}

void flows_forget(const char *tenant_id) {
    require_table();
    table.remove_if([&](Flow &flow) {
        return flow.key.database == MyDatabaseId && std::strcmp(flow.key.owner, tenant_id) == 0;
    });
}

} // namespace tenancy::pg
