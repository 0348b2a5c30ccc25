// Which tenant each backend acts for, in shared memory: for tenancy.activity() and for
// administrators.
#pragma once

#include "pg/postgres.hpp"

namespace tenancy::pg {

void backend_tenants_request();
void backend_tenants_attach();

// Puts on record that the transaction of this backend acts for a tenant. The record ends by itself
// with the transaction, whose number it holds.
void note_backend_tenant(const char *tenant_id);

} // namespace tenancy::pg
