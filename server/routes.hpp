// The route table and how a path is matched against it: literal segments and {parameters}, no
// regular expression.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tenancy::server {

/// Who answers a route.
enum class Kind { sql, upload, chat, agent_info, page, live, ready };

struct Route {
    std::string_view method;
    std::string_view pattern; // "/v1/sessions/{session_id}"
    Kind kind;
    std::string_view sql_name;                        // what agent.call is asked for
    std::vector<std::string_view> query_parameters{}; // the only ones that reach the database
};

/// Every route of this server, in matching order.
std::span<const Route> all_routes();

struct Match {
    const Route *route = nullptr; // null: no route for this path and method
    std::vector<std::pair<std::string, std::string>> path_parameters; // decoded
    std::string allow; // when the path exists with other methods only: the Allow header's value
};

/// Finds the route. HEAD is served wherever GET is. One trailing slash is accepted. A path with
/// broken escapes, control characters or invalid UTF-8 in a parameter matches nothing.
Match match_route(std::string_view method, std::string_view path);

} // namespace tenancy::server
