#include "pipeline.hpp"

#include <array>

#include "handlers.hpp"
#include "log.hpp"
#include "middleware/middleware.hpp"
#include "problem.hpp"
#include "routes.hpp"

namespace tenancy::server {

namespace {

// The method as static text: what is none of these must not become a label.
std::string_view known_method(std::string_view method) {
    for (const std::string_view known :
         {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
        if (method == known)
            return known;
    return "(other)";
}

Response refuse(RequestContext &context, Code code) {
    context.refusal = code_name(code);
    return problem(code);
}

Response dispatch(Services &services, RequestContext &context, const Match &match,
                  const Request &request) {
    switch (match.route->kind) {
    case Kind::sql:
        return answer_sql_route(services, context, match, request);
    case Kind::upload:
        return answer_upload(services, context, request);
    case Kind::chat:
        return answer_chat(services, context, request);
    case Kind::agent_info:
        return answer_agent_info(services, context);
    case Kind::page:
        return answer_page(match.route->pattern);
    case Kind::live:
        return answer_live();
    case Kind::ready:
        return answer_ready(services);
    }
    return refuse(context, Code::internal);
}

// What holds nothing of any tenant is answered without a token.
bool is_public(Kind kind) {
    return kind == Kind::page || kind == Kind::live || kind == Kind::ready;
}

// A turn has the time of its model; everything else that of one statement.
std::chrono::steady_clock::time_point deadline_of(const RequestContext &context,
                                                  const Match &match) {
    const Config &config = context.settings->config;
    if (match.route != nullptr && match.route->kind == Kind::chat)
        return context.started + config.model.total_timeout;
    return context.started + config.storage.acquire_timeout + config.storage.statement_timeout;
}

// Who the request comes from, as far as its head tells.
Refusal read_identity(RequestContext &context, const Request &request) {
    if (const auto refusal = extract_token(context, request))
        return refusal;
    return collect_claimed_identity(context, request);
}

void describe(RequestContext &context, const Request &request, const Match &match) {
    assign_request_id(context, request);
    context.method = known_method(request.method);
    context.deadline = deadline_of(context, match);
    if (match.route != nullptr)
        context.route_pattern = match.route->pattern;
}

// What the full way of the request refuses anyway is refused there; this is about who may send
// megabytes at all. A thread reads them, and without a good token nobody keeps one waiting, nor has
// any of the places.
std::optional<Response> judge_body(Services &services, RequestContext &context,
                                   const Request &request, const Match &match, Admitted &admitted) {
    if (services.is_stopping)
        return refuse(context, Code::overloaded);
    if (const auto refusal = read_identity(context, request))
        return refuse(context, *refusal);
    const auto answer = services.database.check_token(context.token);
    if (const auto *error = std::get_if<db::Error>(&answer))
        return refuse_for(context, *error);
    context.tenant = std::get<db::SignedIn>(answer).tenant;
    context.subject = std::get<db::SignedIn>(answer).subject;
    if (auto refusal = take_place(context, services.bodies, services.body_shares, admitted.place))
        return refusal;
    if (match.route != nullptr && match.route->kind == Kind::upload)
        return take_place(context, services.uploads, services.upload_shares, admitted.room);
    return std::nullopt;
}

// The stages in their order.
Response answer(Services &services, RequestContext &context, const Request &request) {
    const Match match = match_route(request.method, request.path);
    describe(context, request, match);
    if (const auto refusal = check_limits(request))
        return refuse(context, *refusal);
    if (match.route == nullptr) {
        Response response =
            refuse(context, match.allow.empty() ? Code::not_found : Code::method_not_allowed);
        if (!match.allow.empty())
            response.headers.add("Allow", match.allow);
        return response;
    }
    if (!is_public(match.route->kind))
        if (const auto refusal = read_identity(context, request))
            return refuse(context, *refusal);
    return dispatch(services, context, match, request);
}

void add_common_headers(const RequestContext &context, Response &response) {
    response.headers.set("X-Request-ID", context.request_id);
    response.headers.set("X-Content-Type-Options", "nosniff");
    if (!response.headers.find("Cache-Control"))
        response.headers.add("Cache-Control", "no-store");
}

Span request_span(const RequestContext &context, int status) {
    Span span;
    span.trace_id = context.otel_trace_id;
    span.span_id = context.span_id;
    span.parent_span_id = context.parent_span_id;
    span.name = std::string(context.method) + " " + std::string(context.route_pattern);
    span.kind = Span::Kind::server;
    span.start = context.started;
    span.end = std::chrono::steady_clock::now();
    span.has_failed = status >= 500;
    span.attributes = {{"http.request.method", std::string(context.method)},
                       {"http.route", std::string(context.route_pattern)},
                       {"http.response.status_code", static_cast<long long>(status)},
                       {"tenancy.tenant_id", context.tenant},
                       {"tenancy.subject", context.subject},
                       {"tenancy.request_id", context.request_id},
                       {"tenancy.trace_id", context.trace_id}};
    return span;
}

void observe(Services &services, const RequestContext &context, int status, std::size_t bytes) {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - context.started;
    services.metrics.count_request(context.method, context.route_pattern, status, took.count());
    if (!context.refusal.empty())
        services.metrics.count_refusal(context.refusal);
    if (!context.rejection.empty())
        services.metrics.count_rejection(context.rejection);
    write_access_log(context, status, bytes);
    // Of verified tenants only: a flood without tokens must not push other spans out of the queue.
    if (services.spans != nullptr && !context.tenant.empty())
        services.spans->add(request_span(context, status));
}

} // namespace

namespace {

// what() may quote input, so only the fact is logged.
Response unexpected(RequestContext &context) {
    log_event(
        LogLevel::error, "unexpected_exception",
        {log_text("request_id", context.request_id), log_text("route", context.route_pattern)});
    return refuse(context, Code::internal);
}

} // namespace

Response Pipeline::handle(const Request &request) {
    RequestContext context;
    context.settings = services_.settings.current();
    Response response;
    try {
        response = answer(services_, context, request);
    } catch (const std::exception &) {
        response = unexpected(context);
    }
    finish(context, response);
    return response;
}

Admitted Pipeline::admit(const Request &request) {
    RequestContext context;
    context.settings = services_.settings.current();
    Admitted admitted;
    try {
        const Match match = match_route(request.method, request.path);
        describe(context, request, match);
        admitted.refusal = judge_body(services_, context, request, match, admitted);
    } catch (const std::exception &) {
        admitted.refusal = unexpected(context);
    }
    if (admitted.refusal)
        finish(context, *admitted.refusal);
    return admitted;
}

void Pipeline::finish(RequestContext &context, Response &response) {
    add_common_headers(context, response);
    context.token = {}; // it points into the request, which ends before the response is sent
    response.on_sent = [this, context, status = response.status](std::size_t bytes) {
        observe(services_, context, status, bytes);
    };
}

} // namespace tenancy::server
