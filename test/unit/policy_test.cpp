#include "core/policy.hpp"

#include <utility>

#include <gtest/gtest.h>

namespace tenancy::core {
namespace {

Issuer named(const char *name, std::int64_t leeway = 0) {
    Issuer issuer;
    issuer.policy.issuer = name;
    issuer.policy.leeway_seconds = leeway;
    return issuer;
}

TEST(Issuers, are_found_by_their_exact_name) {
    IssuerSet set;
    set.add(named("https://a.example"));
    EXPECT_NE(set.find("https://a.example"), nullptr);
    for (const char *other : {"https://a.example/", "https://A.example", "", "https://a.exampl"})
        EXPECT_EQ(set.find(other), nullptr) << other;
}

TEST(Issuers, are_replaced_whole) {
    IssuerSet set;
    set.add(named("a", 1));
    set.add(named("a", 2));
    EXPECT_EQ(set.find("a")->policy.leeway_seconds, 2);
}

TEST(Issuers, stay_where_they_are_when_others_are_added) {
    IssuerSet set;
    set.add(named("a"));
    const Issuer *before = set.find("a");
    for (int i = 0; i < 1000; ++i)
        set.add(named(std::to_string(i).c_str()));
    EXPECT_EQ(set.find("a"), before);
}

TEST(Issuers, are_strict_unless_told_otherwise) {
    const IssuerPolicy policy;
    EXPECT_TRUE(policy.require_kid && policy.require_subject && policy.require_audience);
    EXPECT_EQ(policy.leeway_seconds, 0);
    EXPECT_FALSE(policy.tenant_claim.leads_to(std::string_view("mtenant\0", 8)));
}

} // namespace
} // namespace tenancy::core
