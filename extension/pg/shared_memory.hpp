// The shared memory of the extension: asked for and attached in one place.
#pragma once

namespace tenancy::pg {

// Sets tenancy.max_flows and tenancy.max_slots and installs the hooks. Called once, in the
// postmaster.
void shared_memory_reserve();

} // namespace tenancy::pg
