#include "routes.hpp"

#include <algorithm>

#include "http.hpp"
#include "utf8.hpp"

namespace tenancy::server {

namespace {

const std::vector<Route> &table() {
    static const std::vector<Route> routes = {
        {"GET", "/", Kind::page, ""},
        {"GET", "/page/style.css", Kind::page, ""},
        {"GET", "/page/page.js", Kind::page, ""},
        {"GET", "/page/chart.js", Kind::page, ""},
        {"GET", "/healthz", Kind::live, ""},
        {"GET", "/readyz", Kind::ready, ""},
        {"GET", "/v1/agent-info", Kind::agent_info, ""},
        {"POST", "/v1/chat/completions", Kind::chat, "begin_turn"},
        {"POST", "/v1/sessions", Kind::sql, "create_session"},
        {"GET", "/v1/sessions/{session_id}", Kind::sql, "get_session"},
        {"PUT", "/v1/sessions/{session_id}", Kind::sql, "put_session"},
        {"PATCH", "/v1/sessions/{session_id}", Kind::sql, "patch_session"},
        {"DELETE", "/v1/sessions/{session_id}", Kind::sql, "delete_session"},
        {"GET", "/v1/sessions/{session_id}/cost_data", Kind::sql, "session_cost_data"},
        {"GET", "/v1/sessions/{session_id}/usage", Kind::sql, "session_usage"},
        {"POST", "/v1/sessions/{session_id}/fork", Kind::sql, "fork_session"},
        {"POST", "/v1/sessions/{session_id}/revert", Kind::sql, "revert_session"},
        {"GET", "/v1/budget", Kind::sql, "get_budget"},
        {"GET", "/v1/usage", Kind::sql, "get_usage", {"since", "until", "bucket"}},
        {"POST", "/v1/traces", Kind::sql, "create_trace"},
        {"GET", "/v1/traces", Kind::sql, "list_traces", {"limit", "offset"}},
        {"GET", "/v1/traces/{trace_id}", Kind::sql, "get_trace"},
        {"POST", "/v1/feedback", Kind::sql, "create_feedback"},
        {"GET",
         "/v1/feedback",
         Kind::sql,
         "list_feedback",
         {"trace_id", "session_id", "user_id", "since", "until", "limit", "offset"}},
        {"GET",
         "/v1/feedback/stats",
         Kind::sql,
         "feedback_stats",
         {"window", "agent_type", "since", "until"}},
        {"GET", "/v1/feedback/{feedback_id}", Kind::sql, "get_feedback"},
        {"PATCH", "/v1/feedback/{feedback_id}", Kind::sql, "update_feedback"},
        {"POST", "/v1/files", Kind::upload, "create_file"},
        {"GET", "/v1/files", Kind::sql, "list_files", {"session_id", "limit", "offset"}},
        {"GET", "/v1/files/{file_id}", Kind::sql, "get_file"},
        {"DELETE", "/v1/files/{file_id}", Kind::sql, "delete_file"},
        {"POST", "/v1/work-items", Kind::sql, "create_work_item"},
        {"GET", "/v1/work-items", Kind::sql, "list_work_items", {"max_results", "parent_id"}},
        {"GET", "/v1/work-items/stats", Kind::sql, "work_item_stats"},
        {"GET", "/v1/work-items/{work_item_id}", Kind::sql, "get_work_item"},
        {"DELETE", "/v1/work-items/{work_item_id}", Kind::sql, "delete_work_item"},
        {"POST", "/v1/work-items/{work_item_id}/checkout", Kind::sql, "checkout_work_item"},
        {"POST", "/v1/work-items/{work_item_id}/complete", Kind::sql, "complete_work_item"},
        {"POST", "/v1/work-items/{work_item_id}/release", Kind::sql, "release_work_item"},
        {"POST", "/v1/work-items/{work_item_id}/accept", Kind::sql, "accept_work_item"},
        {"POST", "/v1/work-items/{work_item_id}/reject", Kind::sql, "reject_work_item"},
        {"GET",
         "/v1/audit",
         Kind::sql,
         "list_audit",
         {"limit", "offset", "action", "outcome", "since", "until"}},
        {"GET", "/v1/agent/trust", Kind::sql, "agent_trust"},
        {"GET", "/v1/agent/skills", Kind::sql, "agent_skills"},
        {"GET", "/v1/agent/capabilities", Kind::sql, "agent_capabilities"},
        {"GET", "/v1/agent/maturation", Kind::sql, "agent_maturation"},
    };
    return routes;
}

// Takes the next segment off `path`, which starts with '/'.
std::string_view next_segment(std::string_view &path) {
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    return segment;
}

bool is_printable(std::string_view text) {
    return !text.empty() && is_utf8(text) && std::none_of(text.begin(), text.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    });
}

bool matches(std::string_view pattern, std::string_view path,
             std::vector<std::pair<std::string, std::string>> &parameters) {
    parameters.clear();
    while (!pattern.empty() && !path.empty()) {
        const std::string_view wanted = next_segment(pattern);
        auto segment = percent_decode(next_segment(path), false);
        if (!segment)
            return false;
        if (!wanted.starts_with('{')) {
            if (*segment != wanted)
                return false;
            continue;
        }
        if (!is_printable(*segment))
            return false;
        parameters.emplace_back(wanted.substr(1, wanted.size() - 2), std::move(*segment));
    }
    return pattern.empty() && path.empty();
}

void add_allowed(std::string &allow, std::string_view method) {
    const auto add = [&](std::string_view name) {
        allow += allow.empty() ? "" : ", ";
        allow += name;
    };
    add(method);
    if (method == "GET")
        add("HEAD");
}

} // namespace

std::span<const Route> all_routes() {
    return table();
}

Match match_route(std::string_view method, std::string_view path) {
    Match match;
    if (path.empty() || path.front() != '/')
        return match;
    if (path.size() > 2 && path.back() == '/') // "//" is not "/"
        path.remove_suffix(1);
    const std::string_view wanted = method == "HEAD" ? "GET" : method;
    std::string_view literal_owner;
    for (const Route &route : table()) {
        if (!matches(route.pattern, path, match.path_parameters))
            continue;
        // A literal path ("/v1/feedback/stats") hides the parameter pattern beside it.
        if (!literal_owner.empty() && literal_owner != route.pattern)
            continue;
        if (route.method == wanted) {
            match.route = &route;
            match.allow.clear();
            return match;
        }
        if (match.path_parameters.empty())
            literal_owner = route.pattern;
        add_allowed(match.allow, route.method);
    }
    match.path_parameters.clear();
    return match;
}

} // namespace tenancy::server
