// The stages a request passes before its handler, in this order. Each fills in the context or
// answers with a refusal; an empty result means "go on".
#pragma once

#include <optional>

#include "../http.hpp"
#include "../problem.hpp"
#include "../request_context.hpp"

namespace tenancy::server {

using Refusal = std::optional<Code>;

/// Takes a well-formed inbound X-Request-ID or makes one; joins the trace of a valid traceparent
/// (W3C), or begins one.
void assign_request_id(RequestContext &context, const Request &request);

/// Turns what the HTTP layer found wrong with size, time, framing and media type into a refusal.
Refusal check_limits(const Request &request);

/// Finds the bearer token and checks its structure only (RFC 6750, RFC 7515): exactly one
/// Authorization header, at most 16384 bytes, three non-empty base64url parts. Whether it is
/// genuine is the database's business.
Refusal extract_token(RequestContext &context, const Request &request);

/// Collects X-Tenant / X-Tenant-ID and X-Auth-Subject for the database to compare with the token;
/// two different claims are refused here.
Refusal collect_claimed_identity(RequestContext &context, const Request &request);

/// Writes the access log line: what happened, never a body, a token or a raw path.
void write_access_log(const RequestContext &context, int status, std::size_t bytes_sent);

} // namespace tenancy::server
