#include "problem.hpp"

#include <array>

#include <nlohmann/json.hpp>

namespace tenancy::server {

namespace {

using nlohmann::ordered_json;

struct Entry {
    Code code;
    int status;
    const char *name;
    const char *type;
    const char *message;
};

constexpr std::array kTable = {
    Entry{Code::no_token, 401, "invalid_token", "authentication_error",
          "the token was not accepted"}, // the same answer as to a bad one
    Entry{Code::invalid_token, 401, "invalid_token", "authentication_error",
          "the token was not accepted"},
    Entry{Code::tenant_suspended, 403, "tenant_suspended", "permission_error",
          "the tenant is suspended"},
    Entry{Code::tenant_mismatch, 403, "tenant_mismatch", "permission_error",
          "the claimed identity is not the token's"},
    Entry{Code::forbidden, 403, "forbidden", "permission_error", "not allowed"},
    Entry{Code::not_found, 404, "not_found", "invalid_request_error", "Not Found"},
    Entry{Code::method_not_allowed, 405, "method_not_allowed", "invalid_request_error",
          "Method Not Allowed"},
    Entry{Code::malformed_request, 400, "malformed_request", "invalid_request_error",
          "the request is not well-formed HTTP"},
    Entry{Code::request_timeout, 408, "request_timeout", "invalid_request_error",
          "the request did not arrive in time"},
    Entry{Code::too_large, 413, "too_large", "invalid_request_error",
          "the request is larger than this server allows"},
    Entry{Code::uri_too_long, 414, "uri_too_long", "invalid_request_error",
          "the request line is too long"},
    Entry{Code::unsupported_media, 415, "unsupported_media", "invalid_request_error",
          "send the body as plain JSON with Content-Type: application/json"},
    Entry{Code::invalid_body, 422, "invalid_body", "invalid_request_error",
          "the body cannot be used"},
    Entry{Code::unavailable, 503, "unavailable", "server_error",
          "the service is not available just now; try again"},
    Entry{Code::overloaded, 503, "unavailable", "server_error", "the server is busy; try again"},
    Entry{Code::over_share, 429, "concurrency_limit_exceeded", "requests",
          "the tenant has its share of what this server does at once; try again"},
    Entry{Code::upstream_failed, 502, "upstream_failed", "server_error",
          "the model did not answer"},
    Entry{Code::upstream_timeout, 504, "upstream_timeout", "server_error",
          "the model did not answer in time"},
    // An event in a stream that has begun; its status is never sent.
    Entry{Code::budget_stream_cut, 402, "budget_stream_cut", "budget_exceeded",
          "the turn was stopped: what was held for it is used up, or its tenant is suspended"},
    Entry{Code::internal, 500, "internal", "server_error", "internal error"},
};

const Entry &entry(Code code) {
    for (const Entry &candidate : kTable)
        if (candidate.code == code)
            return candidate;
    return kTable.back();
}

std::string dump(const ordered_json &value) {
    return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

ordered_json error_object(const Entry &e, std::string_view message, std::string_view code) {
    return {{"message", message}, {"type", e.type}, {"param", nullptr}, {"code", code}};
}

bool is_class_pt(std::string_view sqlstate) {
    return sqlstate.size() == 5 && sqlstate.substr(0, 2) == "PT" &&
           sqlstate.find_first_not_of("0123456789", 2) == std::string_view::npos;
}

// The stable reason that a PT error carries in its DETAIL, or "".
std::string reason_in(std::string_view detail) {
    const auto parsed = nlohmann::json::parse(detail, nullptr, false);
    if (parsed.is_object() && parsed.contains("code") && parsed["code"].is_string())
        return parsed["code"].get<std::string>();
    return {};
}

// The table's entry with this status, so that a PT error has a type and a fall-back code.
const Entry &entry_for_status(int status) {
    for (const Entry &candidate : kTable)
        if (candidate.status == status && candidate.code != Code::no_token)
            return candidate;
    return entry(status < 500 ? Code::invalid_body : Code::internal);
}

Response pt_problem(int status, std::string_view message, std::string_view detail) {
    if (status == 401) // one generic sentence, whatever the reason was
        return problem(Code::invalid_token);
    if (status < 400 || status > 599)
        return problem(Code::internal);
    const Entry &e = entry_for_status(status);
    const std::string reason = reason_in(detail);
    const std::string code = reason.empty() ? e.name : reason;
    const std::string text(message.substr(0, 500));
    Response response =
        json_response(status, dump({{"detail", text}, {"error", error_object(e, text, code)}}));
    if (status == 429 || status == 503)
        response.headers.add("Retry-After", "1");
    return response;
}

// Statements that failed for a passing reason; the same request may work a moment later.
bool is_passing_trouble(std::string_view sqlstate) {
    const std::string_view cls = sqlstate.substr(0, 2);
    return cls == "08" || cls == "53" || cls == "57" || cls == "40" || cls == "58" ||
           sqlstate == "55P03" || sqlstate == "25006" || sqlstate == "26000";
}

// Text that PostgreSQL's JSON cannot take although it was JSON to us: \u0000, lone surrogates,
// bytes that are not UTF-8, nesting beyond its stack, numbers beyond its numeric.
bool is_input_trouble(std::string_view sqlstate) {
    return sqlstate == "22P02" || sqlstate == "22P05" || sqlstate == "22030" ||
           sqlstate == "22021" || sqlstate == "22003" || sqlstate == "54001" || sqlstate == "54000";
}

} // namespace

std::string_view code_name(Code code) {
    return entry(code).name;
}

int code_status(Code code) {
    return entry(code).status;
}

Response problem(Code code, std::string_view message) {
    const Entry &e = entry(code);
    const std::string_view text = message.empty() ? e.message : message;
    ordered_json body = {{"detail", text}};
    // The reference answers these two with `detail` alone; everything else has both shapes.
    if (code != Code::not_found && code != Code::method_not_allowed)
        body["error"] = error_object(e, text, e.name);
    Response response = json_response(e.status, dump(body));
    if (e.status == 401)
        response.headers.add("WWW-Authenticate", R"(Bearer error="invalid_token")");
    if (e.status == 429 || e.status == 503)
        response.headers.add("Retry-After", "1");
    return response;
}

Response invalid_json_problem(std::string_view reason, std::string_view loc) {
    const ordered_json item = {{"type", "json_invalid"},
                               {"loc", ordered_json::parse(loc, nullptr, false)},
                               {"msg", "JSON decode error"},
                               {"input", ordered_json::object()},
                               {"ctx", {{"error", reason}}}};
    return json_response(422, dump({{"detail", ordered_json::array({item})}}));
}

Response invalid_query_problem(std::string_view name) {
    const ordered_json item = {{"type", "string_unicode"},
                               {"loc", {"query", name}},
                               {"msg", "Input should be percent-encoded UTF-8 without U+0000"},
                               {"input", nullptr}};
    return json_response(422, dump({{"detail", ordered_json::array({item})}}));
}

Response invalid_member_problem(std::string_view location, std::string_view type,
                                std::string_view message) {
    ordered_json loc = ordered_json::array({"body"});
    if (!location.empty())
        loc.push_back(location);
    const ordered_json item = {{"type", type}, {"loc", loc}, {"msg", message}, {"input", nullptr}};
    return json_response(422, dump({{"detail", ordered_json::array({item})}}));
}

Response database_problem(std::string_view sqlstate, std::string_view message,
                          std::string_view detail) {
    if (sqlstate.empty() || is_passing_trouble(sqlstate))
        return problem(Code::unavailable);
    if (is_class_pt(sqlstate)) {
        const std::string digits(sqlstate.substr(2));
        return pt_problem(std::stoi(digits), message, detail);
    }
    if (is_input_trouble(sqlstate))
        return invalid_json_problem("the database cannot store this JSON text");
    return problem(Code::internal);
}

std::string stream_error(Code code, std::string_view message) {
    const Entry &e = entry(code);
    return dump(error_object(e, message.empty() ? e.message : message, e.name));
}

} // namespace tenancy::server
