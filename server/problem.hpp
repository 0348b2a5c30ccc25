// Every refusal that this server words itself: one table from a code to status and text, and one
// from SQLSTATE to a code. Bodies carry both shapes: {"detail": ..., "error": {message, type,
// param, code}}.
#pragma once

#include <string>
#include <string_view>

#include "http.hpp"

namespace tenancy::server {

enum class Code {
    no_token,
    budget_stream_cut,
    invalid_token,
    tenant_suspended,
    tenant_mismatch,
    forbidden,
    not_found,
    method_not_allowed,
    malformed_request,
    request_timeout,
    too_large,
    uri_too_long,
    unsupported_media,
    invalid_body,
    unavailable,
    overloaded,
    over_share,
    upstream_failed,
    upstream_timeout,
    internal,
};

/// The stable word for logs and counters, and the "code" member of the body.
std::string_view code_name(Code code);

/// HTTP status of a code.
int code_status(Code code);

/// The complete answer for a code. `message` replaces the table's sentence when not empty; it must
/// not hold anything of a token.
Response problem(Code code, std::string_view message = {});

/// 422 in FastAPI's shape for a body that is not JSON; `reason` is the parser's own sentence, `loc`
/// the JSON array that says where.
Response invalid_json_problem(std::string_view reason, std::string_view loc = R"(["body",0])");

/// 422 in FastAPI's shape for a query parameter that is no text.
Response invalid_query_problem(std::string_view name);

/// 422 in FastAPI's shape for one bad member; `location` is relative to the body ("" for itself).
Response invalid_member_problem(std::string_view location, std::string_view type,
                                std::string_view message);

/// What a failed statement means for the client. `sqlstate` is five characters or empty when the
/// connection was lost; `message` and `detail` are the server's and are used for class PT only.
Response database_problem(std::string_view sqlstate, std::string_view message,
                          std::string_view detail);

/// The {"message","type","param","code"} object as JSON text, for an error inside a stream.
std::string stream_error(Code code, std::string_view message = {});

} // namespace tenancy::server
