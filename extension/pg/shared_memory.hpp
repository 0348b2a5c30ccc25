// The shared memory of the extension: asked for and attached in one place.
#pragma once

namespace tenancy::pg {

// Defines the settings that size it and installs the hooks. Called once, in the postmaster.
void shared_memory_reserve();

} // namespace tenancy::pg
