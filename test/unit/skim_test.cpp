#include "core/skim.hpp"

#include <string>

#include <gtest/gtest.h>

namespace tenancy::test {
namespace {

std::string issuer(std::string_view json) {
    return std::string(core::skim_member(json, "iss").value_or("nothing"));
}

TEST(Skim, finds_a_member_of_the_outermost_object) {
    EXPECT_EQ(issuer(R"({"iss":"a"})"), "a");
    EXPECT_EQ(issuer("{\"sub\" : 1 ,\n\t\"iss\" :\r\"a\"}"), "a");
    EXPECT_EQ(issuer(R"({"x":{"iss":"no"},"y":[{"iss":"no"},"iss"],"iss":"a"})"), "a");
    EXPECT_EQ(issuer(R"({"x":"iss","iss":"a"})"), "a");
    EXPECT_EQ(issuer(R"({"x":"a\",\"iss\":\"no","iss":"a"})"), "a");
    EXPECT_EQ(issuer(R"({"x\\":"\\","iss":""})"), "");
    EXPECT_EQ(issuer(R"({"x":"{[","y":"]}","iss":"a"})"), "a");
}

TEST(Skim, finds_nothing_that_it_would_have_to_interpret) {
    for (const char *json :
         {"", "{", "{}", "[]", "\"iss\"", R"(["iss","a"])", R"({"x":{"iss":"a"}})", R"({"iss":1})",
          R"({"iss":null})", R"({"iss":["a"]})", R"({"iss":"\u0061"})", R"({"\u0069ss":"a"})",
          R"({"iss")", R"({"iss":)", R"({"iss" "a"})", R"({"Iss":"a"})", R"({"x":"iss"})",
          R"({}{"iss":"a"})", R"(]]{"iss":"a"})"})
        EXPECT_EQ(issuer(json), "nothing") << json;
}

} // namespace
} // namespace tenancy::test
