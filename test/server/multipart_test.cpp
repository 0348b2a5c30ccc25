#include "multipart.hpp"

#include <gtest/gtest.h>

namespace tenancy::server {

namespace {

constexpr const char *kType = "multipart/form-data; boundary=b";

std::string part(const std::string &headers, const std::string &content) {
    return "--b\r\n" + headers + "\r\n\r\n" + content + "\r\n";
}

std::string named(const std::string &name) {
    return "Content-Disposition: form-data; name=\"" + name + "\"";
}

std::optional<std::vector<FormPart>> parse(const std::string &body, const char *type = kType) {
    static std::string kept; // the parts point into it
    kept = body;
    return parse_multipart(kept, type);
}

} // namespace

TEST(Multipart, parts_come_in_order_with_their_bytes) {
    const std::string bytes("\r\n--c\0--b \xFF\r\n", 13);
    const auto parts =
        parse(part(named("session_id"), "s") +
              part(named("file") + "; filename=\"a.txt\"\r\ncontent-type: text/plain", bytes) +
              "--b--\r\nignored");
    ASSERT_TRUE(parts);
    ASSERT_EQ(parts->size(), 2U);
    EXPECT_EQ(parts->at(0).name, "session_id");
    EXPECT_FALSE(parts->at(0).filename);
    EXPECT_EQ(parts->at(0).content, "s");
    EXPECT_EQ(parts->at(1).filename, "a.txt");
    EXPECT_EQ(parts->at(1).type, "text/plain");
    EXPECT_EQ(parts->at(1).content, bytes);
}

TEST(Multipart, empty_content_preamble_and_padding) {
    const auto parts = parse("preamble\r\n--b \t\r\n" + named("file") + "\r\n\r\n\r\n--b--");
    ASSERT_TRUE(parts);
    ASSERT_EQ(parts->size(), 1U);
    EXPECT_EQ(parts->at(0).content, "");
    // The line break that ends the headers also begins the delimiter.
    const auto tight = parse("--b\r\n" + named("x") + "\r\n\r\n--b--");
    ASSERT_TRUE(tight);
    EXPECT_EQ(tight->at(0).content, "");
    const auto none = parse("--b--");
    ASSERT_TRUE(none);
    EXPECT_TRUE(none->empty());
}

TEST(Multipart, quoted_and_bare_parameters) {
    const auto parts =
        parse(part(R"(Content-Disposition: form-data; Name=file; filename="a\"b;c\\d"; x=y)", "1") +
              "--b--");
    ASSERT_TRUE(parts);
    EXPECT_EQ(parts->at(0).name, "file");
    EXPECT_EQ(parts->at(0).filename, "a\"b;c\\d");
    EXPECT_TRUE(parse("--a b--", "Multipart/Form-Data; charset=utf-8; boundary=\"a b\""));
}

TEST(Multipart, what_is_no_form_is_refused) {
    const std::string good = part(named("file"), "x");
    for (const std::string &body :
         {std::string(), std::string("x"), std::string("--b"), std::string("--b\r\n"), good,
          good + "--b", "--bx\r\n" + good, part("X: y", "no name") + "--b--",
          part(named("f") + "\r\nX: " + std::string(8192, 'y'), "x") + "--b--"})
        EXPECT_FALSE(parse(body)) << body.substr(0, 60);
    std::string many;
    for (int i = 0; i < 16; ++i)
        many += good;
    EXPECT_TRUE(parse(many + "--b--"));
    EXPECT_FALSE(parse(many + good + "--b--"));
    const std::string long_boundary = "multipart/form-data; boundary=" + std::string(71, 'b');
    for (const char *type : {"", "multipart/form-data", "multipart/form-data; boundary=",
                             "text/plain; boundary=b", long_boundary.c_str()})
        EXPECT_FALSE(parse(good + "--b--", type)) << type;
}

} // namespace tenancy::server
