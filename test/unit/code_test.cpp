#include "core/code.hpp"
#include "core/result.hpp"

#include <set>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace tenancy::core {
namespace {

TEST(Codes, have_names_that_are_stable_snake_case_and_unique) {
    std::set<std::string> names;
    for (int i = 0; i < kCodeCount; ++i) {
        const std::string_view name = code_name(static_cast<Code>(i));
        EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789"), name.npos);
        EXPECT_TRUE(names.insert(std::string(name)).second) << name;
    }
    EXPECT_STREQ(code_name(Code::ok), "ok");
    EXPECT_STREQ(code_name(Code::token_expired), "token_expired");
    EXPECT_STREQ(code_name(Code::tenant_id_malformed), "tenant_id_malformed");
}

TEST(Codes, have_one_sentence_each) {
    for (int i = 0; i < kCodeCount; ++i) {
        const std::string_view text = code_text(static_cast<Code>(i));
        EXPECT_TRUE(text.size() > 10 && text.back() == '.') << text;
        EXPECT_EQ(text.find('\n'), text.npos);
    }
}

TEST(Codes, answer_for_values_that_do_not_exist) {
    EXPECT_STREQ(code_name(static_cast<Code>(-1)), "internal_error");
    EXPECT_STREQ(code_name(static_cast<Code>(kCodeCount)), "internal_error");
}

TEST(Results, hold_a_value_or_a_reason) {
    const Result<int> good = 7;
    ASSERT_TRUE(good);
    EXPECT_EQ(*good, 7);
    EXPECT_EQ(good.error(), Code::ok);
    const Result<int> bad = Code::token_expired;
    EXPECT_FALSE(bad);
    EXPECT_EQ(bad.error(), Code::token_expired);
}

TEST(Results, never_take_ok_for_a_success_without_a_value) {
    const Result<int> odd = Code::ok;
    EXPECT_FALSE(odd);
    EXPECT_EQ(odd.error(), Code::internal_error);
}

} // namespace
} // namespace tenancy::core
