// Commands that no policy reaches, refused to applications.
#pragma once

namespace tenancy::pg {

// Installs the hook. Called once, in the postmaster.
void utility_guard_install();

} // namespace tenancy::pg
