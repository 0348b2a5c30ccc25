#include "pg/postgres.hpp"

#include "pg/shared_memory.hpp"

#include "pg/backend_tenants.hpp"
#include "pg/flows.hpp"
#include "pg/key_uses.hpp"
#include "pg/proof_cache.hpp"
#include "pg/slots.hpp"
#include "pg/token_stats.hpp"

namespace tenancy::pg {

namespace {

constexpr int kDefaultEntries = 16384;
constexpr int kMinEntries = 64;
constexpr int kMaxEntries = 4 * 1024 * 1024;

int max_flows = 0;
int max_slots = 0;
int max_proofs = 4096;
shmem_request_hook_type previous_request = nullptr;
shmem_startup_hook_type previous_startup = nullptr;

void request_memory() {
    if (previous_request != nullptr)
        previous_request();
    flows_table().request(max_flows);
    subject_flows_table().request(max_flows);
    slots_table().request(max_slots);
    uses_table().request(kMaxUses);
    proof_cache_request(max_proofs);
    token_stats_request();
    backend_tenants_request();
}

void attach_memory() {
    if (previous_startup != nullptr)
        previous_startup();
    flows_table().attach();
    subject_flows_table().attach();
    slots_table().attach();
    uses_table().attach();
    proof_cache_attach();
    token_stats_attach();
    backend_tenants_attach();
}

void define_size(const char *name, const char *what, int *value) {
    DefineCustomIntVariable(name, what, nullptr, value, kDefaultEntries, kMinEntries, kMaxEntries,
                            PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
}

} // namespace

void shared_memory_reserve() {
    // About 160 bytes each, twice: for tenants and for subjects. What counts is how many are
    // active within the time a burst spans: idle flows make room by themselves.
    define_size("tenancy.max_flows", "Number of tenants and units metered at one time.",
                &max_flows);
    // About 500 bytes each. A full table costs speed, never exactness: slots are rebuilt from rows.
    define_size("tenancy.max_slots", "Number of budget counters kept in memory.", &max_slots);
    // About 1 kB each. Enough when it holds the tokens in use at one time.
    DefineCustomIntVariable("tenancy.token_cache_size",
                            "Number of verified tokens that the backends share; 0: none.", nullptr,
                            &max_proofs, max_proofs, 0, kMaxEntries, PGC_POSTMASTER, 0, nullptr,
                            nullptr, nullptr);
    previous_request = shmem_request_hook;
    shmem_request_hook = request_memory;
    previous_startup = shmem_startup_hook;
    shmem_startup_hook = attach_memory;
}

} // namespace tenancy::pg
