#include "core/skim.hpp"

#include <string>

#include <gtest/gtest.h>

namespace tenancy::test {
namespace {

std::string issuer(std::string_view json) {
    return std::string(core::skim_string(json, "iss").value_or("nothing"));
}

TEST(Skim, finds_a_member_of_the_outermost_object) {
    EXPECT_EQ(issuer(R"({"iss":"a"})"), "a");
    EXPECT_EQ(issuer("{\"sub\" : 1 ,\n\t\"iss\" :\r\"a\"}"), "a");
    EXPECT_EQ(issuer(R"({"x":{"iss":"no"},"y":[{"iss":"no"},"iss"],"iss":"a"})"), "a");
    EXPECT_EQ(issuer(R"({"x":"iss","iss":"a"})"), "a");
    EXPECT_EQ(issuer(R"({"x":"a\",\"iss\":\"no","iss":"a"})"), "a");
    EXPECT_EQ(issuer(R"({"x\\":"\\","iss":""})"), "");
    EXPECT_EQ(issuer(R"({"x":"{[","y":"]}","iss":"a"})"), "a");
    EXPECT_EQ(issuer(R"({"\u0069ss":"a"})"), "a");
    EXPECT_EQ(issuer(R"({"is\u0073":"a"})"), "a");
    EXPECT_EQ(issuer(R"({"iss":"https:\/\/a\"b"})"), R"(https:\/\/a\"b)");
}

TEST(Skim, finds_nothing_that_it_would_have_to_interpret) {
    for (const char *json : {"",
                             "{",
                             "{}",
                             "[]",
                             "\"iss\"",
                             R"(["iss","a"])",
                             R"({"x":{"iss":"a"}})",
                             R"({"iss":1})",
                             R"({"iss":null})",
                             R"({"iss":["a"]})",
                             R"({"\u0069s":"a"})",
                             R"({"\u0069\u0073\u0073s":"a"})",
                             R"({"\u0169ss":"a"})",
                             R"({"\iss":"a"})",
                             R"({"\u69ss":"a"})",
                             R"({"iss\":"a"})",
                             R"({"is\u007":"a"})",
                             R"({"is\u":"a"})",
                             R"({"is\u0-73":"a"})",
                             R"({"iss")",
                             R"({"iss":)",
                             R"({"iss" "a"})",
                             R"({"Iss":"a"})",
                             R"({"x":"iss"})",
                             R"({}{"iss":"a"})",
                             R"(]]{"iss":"a"})"})
        EXPECT_EQ(issuer(json), "nothing") << json;
}

TEST(Skim, reads_an_integer) {
    const auto exp = [](std::string_view json) { return core::skim_integer(json, "exp"); };
    EXPECT_EQ(exp(R"({"exp":17})"), 17);
    EXPECT_EQ(exp(R"({"x":{"exp":1},"exp" : -17 ,"y":1})"), -17);
    for (const char *json : {R"({"exp":17)", R"({"exp":"17"})", R"({"exp":17.5})", R"({"exp":1e9})",
                             R"({"exp":99999999999999999999})", R"({"exp":null})", R"({"exp":)"})
        EXPECT_EQ(exp(json), std::nullopt) << json;
}

} // namespace
} // namespace tenancy::test
