// What applications need in place of functions that cross tenants: channels and advisory locks that
// belong to one tenant. sql/install/88-tenant-tools.sql declares the functions.
#pragma once

namespace tenancy::pg {

// Registers tenancy.max_advisory_locks. Called once, in the postmaster.
void define_tool_settings();

// Whether a LISTEN or NOTIFY channel belongs to the tenant: it begins with tenant_, 32 hexadecimal
// digits of the SHA-256 of the tenant id, and _. May ereport().
bool is_channel_of(const char *tenant_id, const char *channel);

} // namespace tenancy::pg
