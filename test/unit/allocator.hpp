// The process-wide allocator of the test binary: counts, and fails when told to.
#pragma once

#include <cstddef>

namespace tenancy::test {

/// From now on the n-th allocation (1-based) throws std::bad_alloc, once. 0: none does.
void fail_allocation(std::size_t n);
/// True when the planned failure has happened.
bool allocation_failed();
/// Blocks allocated with new and not yet deleted.
long live_allocations();

} // namespace tenancy::test
