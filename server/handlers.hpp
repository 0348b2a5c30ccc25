// The handlers behind the route table. Each returns an answer for any input and may throw only when
// memory or entropy is out (pipeline.cpp answers 500 then).
#pragma once

#include "http.hpp"
#include "request_context.hpp"
#include "routes.hpp"
#include "services.hpp"

namespace tenancy::server {

/// One of the places for the tenant that the database has verified, within its share of them: a
/// request whose token is not good never has one. Otherwise the refusal.
std::optional<Response> take_place(RequestContext &context, Slots &slots, Shares &shares,
                                   Share &taken);

/// GET /healthz: the process runs.
Response answer_live();

/// GET /readyz: the database answers and has the extension. Asked at most once a second, whatever
/// the number of callers, because the route needs no token.
Response answer_ready(Services &services);

/// GET / and the files below /page/ that it loads: the operator page, the same bytes for everybody.
Response answer_page(std::string_view path);

/// Any route that is one SQL function: one round trip, answer passed through.
Response answer_sql_route(Services &services, RequestContext &context, const Match &match,
                          const Request &request);

/// GET /v1/agent-info, after the database has verified the token.
Response answer_agent_info(Services &services, RequestContext &context);

/// POST /v1/chat/completions, at once or as a stream.
Response answer_chat(Services &services, RequestContext &context, const Request &request);

/// POST /v1/files: the `file` and `session_id` of a multipart/form-data body, in one round trip.
Response answer_upload(Services &services, RequestContext &context, const Request &request);

/// The answer of agent.call, and what its request took from the shared limit.
struct Called {
    std::variant<db::Answer, db::Error> outcome;
    rate::Taken taken; // empty when there is no such limit, or the request does not count
};

/// agent.call, after the shared limit was asked when there is one. `body` is JSON text, `content`
/// the bytes of an upload.
Called call_route(Services &services, const RequestContext &context, std::string_view route,
                  const std::string &body, std::optional<std::string_view> content = {});

/// Which limit a SQL route's refusal names: requests, tokens, concurrency, budget, held, unpriced,
/// or empty for anything else. Static text, fit for a label.
std::string_view rejection_kind(const std::string &body);

/// Turns a SQL route's answer into a response and notes tenant and subject on the context.
Response pass_through(RequestContext &context, const db::Answer &answer);

/// Turns a failed statement into a response; logs the SQLSTATE unless it is a refusal by design.
Response refuse_for(RequestContext &context, const db::Error &error);

} // namespace tenancy::server
