#include "core/claim_path.hpp"

#include "codes.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace tenancy::core {
namespace {

using Names = std::vector<std::string>;

Names names_of(std::string_view text) {
    const auto path = ClaimPath::parse(text);
    return path ? path->segments() : Names{code_name(path.error())};
}

TEST(ClaimPaths, read_names_separated_by_dots) {
    EXPECT_EQ(names_of("tenant"), Names{"tenant"});
    EXPECT_EQ(names_of("org_id"), Names{"org_id"});
    EXPECT_EQ(names_of("org.id"), (Names{"org", "id"}));
    EXPECT_EQ(names_of("a~1"), Names{"a~1"}); // no escapes here
}

TEST(ClaimPaths, read_json_pointers) {
    EXPECT_EQ(names_of("/org/id"), (Names{"org", "id"}));
    EXPECT_EQ(names_of("/a.b"), Names{"a.b"});
    EXPECT_EQ(names_of("/a~1b/~0~01"), (Names{"a/b", "~~1"}));
    EXPECT_EQ(names_of("/https:~1~1x.example~1t"), Names{"https://x.example/t"});
}

TEST(ClaimPaths, read_names_that_are_urls_or_urns_as_one_name) {
    EXPECT_EQ(names_of("https://x.example/tenant"), Names{"https://x.example/tenant"});
    EXPECT_EQ(names_of("urn:x:tenant.id"), Names{"urn:x:tenant.id"});
    EXPECT_EQ(names_of("x.example/t"), Names{"x.example/t"});
}

TEST(ClaimPaths, refuse_what_is_ambiguous_or_out_of_bounds) {
    for (const std::string &text :
         {std::string(), std::string("."), std::string("a."), std::string(".a"),
          std::string("a..b"), std::string("/"), std::string("/a/"), std::string("//a"),
          std::string("/a~"), std::string("/a~2"), std::string("a\nb"), std::string("a\0b", 3),
          std::string("\xff"), std::string(257, 'a'), std::string("a.a.a.a.a.a.a.a.a"),
          std::string("/a/a/a/a/a/a/a/a/a")})
        EXPECT_EQ(ClaimPath::parse(text).error(), Code::claim_path_malformed) << text;
    EXPECT_TRUE(ClaimPath::parse(std::string(256, 'a')));
    EXPECT_TRUE(ClaimPath::parse("a.a.a.a.a.a.a.a"));
}

TEST(ClaimPaths, lead_to_one_place_only) {
    const std::string nested("morg\0mid\0", 9);
    EXPECT_TRUE(ClaimPath::parse("org.id")->leads_to(nested));
    EXPECT_TRUE(ClaimPath::parse("/org/id")->leads_to(nested));
    for (const char *other : {"org", "id", "org.i", "org.id.x", "Org.id", "https://org"})
        EXPECT_FALSE(ClaimPath::parse(other)->leads_to(nested)) << other;
    EXPECT_FALSE(ClaimPath::parse("org.id")->leads_to(""));
}

TEST(ClaimPaths, enter_arrays_by_pointer_only) {
    const std::string element("ma\0i0\0", 6);
    const std::string member("ma\0m0\0", 6);
    EXPECT_TRUE(ClaimPath::parse("/a/0")->leads_to(element));
    EXPECT_TRUE(ClaimPath::parse("/a/0")->leads_to(member));
    EXPECT_FALSE(ClaimPath::parse("/a/00")->leads_to(element));
    EXPECT_FALSE(ClaimPath::parse("/a/-")->leads_to(element));
    EXPECT_FALSE(ClaimPath::parse("a.0")->leads_to(element));
    EXPECT_TRUE(ClaimPath::parse("a.0")->leads_to(member));
}

TEST(ClaimPaths, lead_nowhere_by_default) {
    EXPECT_FALSE(ClaimPath().leads_to(""));
    EXPECT_FALSE(ClaimPath().leads_to(std::string_view("ma\0", 3)));
}

} // namespace
} // namespace tenancy::core
