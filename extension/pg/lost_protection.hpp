// A protected table that has lost its protection is locked for applications, not open.
#pragma once

namespace tenancy::pg {

// Installs the hook. Called once, in the postmaster.
void lost_protection_install();

} // namespace tenancy::pg
