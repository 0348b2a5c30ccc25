#include "config_env.hpp"

#include <gtest/gtest.h>

namespace tenancy::server {

namespace {

std::optional<std::string> environment(const std::string &name) {
    if (name == "SET")
        return "value";
    if (name == "EMPTY")
        return "";
    return std::nullopt;
}

std::string expanded(std::string_view text) {
    return expand_environment(text, environment).text;
}
std::string error(std::string_view text) {
    return expand_environment(text, environment).error;
}

} // namespace

TEST(ConfigEnv, replaces_a_set_variable) {
    EXPECT_EQ(expanded("a${SET}b${SET}"), "avaluebvalue");
}

TEST(ConfigEnv, colon_dash_covers_unset_and_empty) {
    EXPECT_EQ(expanded("${UNSET:-d}"), "d");
    EXPECT_EQ(expanded("${EMPTY:-d}"), "d");
    EXPECT_EQ(expanded("${SET:-d}"), "value");
    EXPECT_EQ(expanded("${UNSET:-}"), "");
    EXPECT_EQ(expanded("${UNSET:-a-b:-c}"), "a-b:-c");
}

TEST(ConfigEnv, dash_alone_covers_unset_only) {
    EXPECT_EQ(expanded("${UNSET-d}"), "d");
    EXPECT_EQ(expanded("${EMPTY-d}"), "");
}

TEST(ConfigEnv, unset_without_default_names_the_variable) {
    EXPECT_NE(error("${UNSET}").find("UNSET is not set"), std::string::npos);
}

TEST(ConfigEnv, malformed_references_are_errors) {
    EXPECT_FALSE(error("${SET").empty());
    EXPECT_FALSE(error("${}").empty());
    EXPECT_FALSE(error("${1A}").empty());
    EXPECT_FALSE(error("${A B}").empty());
    EXPECT_FALSE(error("${:-x}").empty());
}

TEST(ConfigEnv, doubled_dollar_is_literal) {
    EXPECT_EQ(expanded("x$${SET}"), "x${SET}");
}

TEST(ConfigEnv, a_dollar_alone_is_itself) {
    EXPECT_EQ(expanded("5$ $SET"), "5$ $SET");
}

} // namespace tenancy::server
