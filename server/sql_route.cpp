#include "handlers.hpp"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "json_text.hpp"
#include "problem.hpp"

namespace tenancy::server {

namespace {

// Adds the members that path and query add to the body, or says what is wrong with the query. Of a
// repeated parameter the last value counts; the path goes last, so that nothing overrides it.
std::optional<Response> add_members(const Match &match, const Request &request, Members &members) {
    const auto &known = match.route->query_parameters;
    for (auto &[name, value] : parse_query(request.query)) {
        if (std::find(known.begin(), known.end(), name) == known.end())
            continue;
        if (!value)
            return invalid_query_problem(name);
        members.emplace_back(std::move(name), std::move(*value));
    }
    members.insert(members.end(), match.path_parameters.begin(), match.path_parameters.end());
    return std::nullopt;
}

bool is_blank(std::string_view body) {
    return body.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

std::string text_of(const nlohmann::json &object, const char *name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

bool takes_body(std::string_view method) {
    return method == "POST" || method == "PUT" || method == "PATCH";
}

} // namespace

std::string_view rejection_kind(const std::string &body) {
    constexpr std::array<std::array<std::string_view, 3>, 6> kinds = {{
        {"rate_limit_exceeded", "requests", "requests"},
        {"rate_limit_exceeded", "tokens", "tokens"},
        {"concurrency_limit_exceeded", "", "concurrency"},
        {"insufficient_quota", "", "budget"},
        {"budget_held", "", "held"},
        {"model_not_priced", "", "unpriced"},
    }};
    const auto parsed = nlohmann::json::parse(body, nullptr, false);
    const auto error = parsed.is_object() ? parsed.find("error") : parsed.end();
    if (error == parsed.end() || !error->is_object())
        return {};
    const std::string code = text_of(*error, "code");
    const std::string type = text_of(*error, "type");
    for (const auto &[known_code, known_type, kind] : kinds)
        if (code == known_code && (known_type.empty() || type == known_type))
            return kind;
    return {};
}

Response pass_through(RequestContext &context, const db::Answer &answer) {
    context.tenant = answer.tenant;
    context.subject = answer.subject;
    if (answer.status >= 400)
        context.rejection = rejection_kind(answer.body);
    Response response;
    response.status = answer.status;
    if (!answer.body.empty() && answer.status != 204) {
        response.headers.add("Content-Type", "application/json");
        response.body = answer.body;
    }
    const auto headers = nlohmann::ordered_json::parse(answer.headers, nullptr, false);
    if (headers.is_object())
        for (const auto &[name, value] : headers.items())
            response.headers.set(name, value.is_string() ? value.get<std::string>() : value.dump());
    return response;
}

Response refuse_for(RequestContext &context, const db::Error &error) {
    context.sqlstate = error.sqlstate.empty() ? "lost" : error.sqlstate;
    if (error.sqlstate.rfind("PT", 0) != 0)
        log_of(context, error.sqlstate.rfind("22", 0) == 0 ? LogLevel::info : LogLevel::error,
               "statement_failed",
               {log_text("route", context.route_pattern), log_text("sqlstate", context.sqlstate)});
    return database_problem(error.sqlstate, error.message, error.detail);
}

Response answer_sql_route(Services &services, RequestContext &context, const Match &match,
                          const Request &request) {
    Members members;
    if (auto refusal = add_members(match, request, members))
        return std::move(*refusal);
    std::string body = "{}";
    if (takes_body(match.route->method) && !is_blank(request.body)) {
        if (const auto defect = json_defect(request.body))
            return invalid_json_problem(defect->reason, defect->loc);
        body = request.body;
    }
    if (!members.empty()) {
        if (!is_json_object(body))
            return invalid_member_problem("", "model_attributes_type",
                                          "Input should be a valid dictionary or object");
        body = with_members(body, members);
    }
    const Called called = call_route(services, context, match.route->sql_name, body);
    if (const auto *error = std::get_if<db::Error>(&called.outcome))
        return refuse_for(context, *error);
    return pass_through(context, std::get<db::Answer>(called.outcome));
}

} // namespace tenancy::server
