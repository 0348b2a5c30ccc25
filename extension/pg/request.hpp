// Settings that carry a request's own context into its transaction: for the audit and the trace.
// They name a request; they grant nothing.
#pragma once

namespace tenancy::pg {

// Registers tenancy.request_id, .traceparent, .model and .instance_id. Called once, in the
// postmaster.
void define_request_settings();

} // namespace tenancy::pg
