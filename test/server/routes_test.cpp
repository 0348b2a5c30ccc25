#include "routes.hpp"

#include <gtest/gtest.h>

namespace tenancy::server {

namespace {

std::string_view sql_name(std::string_view method, std::string_view path) {
    const Match match = match_route(method, path);
    return match.route == nullptr ? "(none)" : match.route->sql_name;
}

} // namespace

TEST(Routes, every_route_matches_its_own_pattern) {
    for (const Route &route : all_routes()) {
        const Match match = match_route(route.method, route.pattern);
        ASSERT_NE(match.route, nullptr) << route.pattern;
        EXPECT_EQ(match.route, &route) << route.pattern;
    }
}

TEST(Routes, parameters_are_decoded) {
    const Match match = match_route("GET", "/v1/sessions/a%20b%2Fc");
    ASSERT_EQ(match.path_parameters.size(), 1U);
    EXPECT_EQ(match.path_parameters[0].first, "session_id");
    EXPECT_EQ(match.path_parameters[0].second, "a b/c");
}

TEST(Routes, one_trailing_slash_is_accepted) {
    EXPECT_EQ(sql_name("POST", "/v1/sessions/"), "create_session");
    EXPECT_EQ(sql_name("GET", "/v1/traces/"), "list_traces");
    EXPECT_EQ(sql_name("GET", "/v1/traces//"), "(none)");
}

TEST(Routes, head_is_served_where_get_is) {
    EXPECT_EQ(sql_name("HEAD", "/v1/sessions/x"), "get_session");
    EXPECT_EQ(match_route("HEAD", "/v1/chat/completions").allow, "POST");
}

TEST(Routes, another_method_lists_all_that_are_allowed) {
    const Match match = match_route("POST", "/v1/sessions/x");
    EXPECT_EQ(match.route, nullptr);
    EXPECT_EQ(match.allow, "GET, HEAD, PUT, PATCH, DELETE");
    EXPECT_TRUE(match.path_parameters.empty());
}

TEST(Routes, a_literal_hides_the_parameter_beside_it) {
    EXPECT_EQ(sql_name("GET", "/v1/feedback/stats"), "feedback_stats");
    EXPECT_EQ(match_route("PATCH", "/v1/feedback/stats").allow, "GET, HEAD");
    EXPECT_EQ(sql_name("PATCH", "/v1/feedback/fb_1"), "update_feedback");
}

TEST(Routes, the_root_is_the_page) {
    const Match match = match_route("HEAD", "/");
    ASSERT_NE(match.route, nullptr);
    EXPECT_EQ(match.route->kind, Kind::page);
    EXPECT_EQ(match_route("POST", "/").allow, "GET, HEAD");
}

TEST(Routes, unknown_paths_match_nothing) {
    for (const char *path : {"", "x", "*", "//", "/page", "/v1", "/v1/sessions/a/b", "/V1/sessions",
                             "/v1/sessions//usage", "/metrics", "/v1/sessionsx"}) {
        const Match match = match_route("GET", path);
        EXPECT_EQ(match.route, nullptr) << path;
        EXPECT_TRUE(match.allow.empty() || std::string_view(path) == "/v1/sessions") << path;
    }
}

TEST(Routes, unprintable_parameters_match_nothing) {
    for (const char *path :
         {"/v1/sessions/%00", "/v1/sessions/a%0A", "/v1/sessions/%FF", "/v1/sessions/%C0%80",
          "/v1/sessions/%ED%A0%80", "/v1/sessions/%7F", "/v1/sessions/%4", "/v1/sessions/%zz"})
        EXPECT_EQ(sql_name("GET", path), "(none)") << path;
}

TEST(Routes, long_paths_are_no_trouble) {
    const std::string path = "/v1/sessions/" + std::string(100000, 'a');
    EXPECT_EQ(match_route("GET", path).path_parameters.at(0).second.size(), 100000U);
    EXPECT_EQ(sql_name("GET", std::string(100000, '/')), "(none)");
}

} // namespace tenancy::server
