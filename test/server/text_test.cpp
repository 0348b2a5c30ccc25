#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "http.hpp"
#include "json_text.hpp"
#include "metrics.hpp"
#include "metrics_listener.hpp"
#include "utf8.hpp"

namespace tenancy::server {

TEST(JsonText, accepts_one_value_and_names_the_place_of_a_defect) {
    EXPECT_FALSE(json_defect(R"({"a":[1,2,{"b":null}]})"));
    EXPECT_EQ(json_defect("{bad")->reason, "not valid JSON near byte 2");
    for (const char *text : {"", " ", "{} {}", "{\"a\":1,}", "nul", "\"\xFF\"", "\xEF\xBB\xBF{}"})
        EXPECT_TRUE(json_defect(text)) << text;
}

TEST(JsonText, deep_nesting_is_refused_before_anything_recurses) {
    EXPECT_FALSE(json_defect(std::string(128, '[') + std::string(128, ']')));
    EXPECT_EQ(json_defect(std::string(129, '[') + std::string(129, ']'))->reason,
              "nested deeper than 128 levels");
    EXPECT_TRUE(json_defect(std::string(1000000, '[')));
    EXPECT_FALSE(json_defect("\"" + std::string(1000, '[') + "\\\"[\""));
}

TEST(JsonText, a_defect_names_the_member_it_is_in) {
    for (const auto &[text, loc] : std::vector<std::pair<std::string, std::string>>{
             {R"({"a":1,"messages":[{"content":"x"},{"content":"\u0000"}]})",
              R"(["body","messages",1,"content"])"},
             {R"({"a":{"b":"\ud800"}})", R"(["body","a","b"])"},
             {R"({"a":[1,1e999999]})", R"(["body","a",1])"},
             {R"({"a\u0000":1})", nlohmann::json({"body", std::string("a\0", 2)}).dump()},
             {"[1,{}", R"(["body",2])"},
             {"{", R"(["body",2])"}})
        EXPECT_EQ(json_defect(text)->loc, loc) << text;
    const auto deep = json_defect(std::string(1000, '['));
    EXPECT_LT(deep->loc.size(), 100U);
    EXPECT_LT(json_defect("{\"" + std::string(5000, 'k') + "\":x")->loc.size(), 100U);
}

TEST(JsonText, members_are_added_and_win) {
    EXPECT_EQ(with_members(" { } ", {{"a", "1"}}), R"({"a":"1"})");
    EXPECT_EQ(with_members("{}", {}), "{}");
    EXPECT_EQ(with_members("{\"x\":1.10 }\n", {{"a", "\"\\\n"}, {"b", ""}}),
              R"({"x":1.10,"a":"\"\\\n","b":""})");
    const auto merged = nlohmann::json::parse(with_members(R"({"id":"theirs"})", {{"id", "path"}}));
    EXPECT_EQ(merged["id"], "path");
}

TEST(JsonText, tells_objects_from_other_values) {
    EXPECT_TRUE(is_json_object(" \n{}"));
    for (const char *text : {"[]", "null", "\"{\"", ""})
        EXPECT_FALSE(is_json_object(text)) << text;
}

TEST(Http, percent_decoding) {
    EXPECT_EQ(percent_decode("a%2fB%41+", false), "a/BA+");
    EXPECT_EQ(percent_decode("a+b", true), "a b");
    for (const char *text : {"%", "%4", "%4g", "x%"})
        EXPECT_EQ(percent_decode(text, false), std::nullopt) << text;
    EXPECT_EQ(percent_decode("%41", false), "A");
}

TEST(Http, query_pairs_in_order) {
    const auto pairs = parse_query("limit=5&x&=z&a=%20b&bad=%z&limit=6&&e=a=b");
    ASSERT_EQ(pairs.size(), 6U);
    EXPECT_EQ(pairs[0].value, "5");
    EXPECT_EQ(pairs[1].name, "x");
    EXPECT_EQ(pairs[2].value, " b");
    EXPECT_EQ(pairs[3].name, "bad");
    EXPECT_EQ(pairs[3].value, std::nullopt);
    EXPECT_EQ(pairs[4].value, "6");
    EXPECT_EQ(pairs[5].value, "a=b");
    for (const char *query : {"a=%00", "a=%ff", "a=%ed%a0%80"})
        EXPECT_EQ(parse_query(query).at(0).value, std::nullopt) << query;
}

TEST(Http, header_names_ignore_case) {
    Headers headers;
    headers.add("Content-Type", "a");
    headers.add("content-type", "b");
    EXPECT_EQ(headers.count("CONTENT-TYPE"), 2U);
    EXPECT_EQ(headers.find("content-Type"), "a");
    headers.set("CONTENT-TYPE", "c");
    EXPECT_EQ(headers.count("content-type"), 1U);
}

TEST(Utf8, is_checked_as_in_rfc_3629) {
    for (const char *good :
         {"", "a", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF"})
        EXPECT_TRUE(is_utf8(good));
    for (const char *bad :
         {"\x80", "\xC0\xAF", "\xC1\x81", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
          "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82", "\xC3", "\xFF"})
        EXPECT_FALSE(is_utf8(bad));
}

TEST(Metrics, print_what_was_counted) {
    Metrics metrics("m\"1");
    metrics.count_request("GET", "/v1/traces", 200, 0.02);
    metrics.count_refusal("invalid_token");
    metrics.count_turn({"ok", true, 1.0, 0.5, 7, 5});
    metrics.add_gauge("g", [] { return std::size_t{3}; });
    const std::string text = metrics.text();
    for (const char *line :
         {"tenancyd_requests_total{method=\"GET\",route=\"/v1/traces\",status=\"200\"} 1\n",
          "tenancyd_request_duration_seconds_bucket{route=\"/v1/traces\",le=\"0.01\"} 0\n",
          "tenancyd_request_duration_seconds_bucket{route=\"/v1/traces\",le=\"0.025\"} 1\n",
          "tenancyd_request_duration_seconds_bucket{route=\"/v1/traces\",le=\"+Inf\"} 1\n",
          "tenancyd_refusals_total{code=\"invalid_token\"} 1\n",
          "agent_requests_total{model=\"m\\\"1\",status=\"ok\",stream=\"true\"} 1\n",
          "agent_tokens_total{model=\"m\\\"1\",direction=\"completion\"} 5\n", "\ng 3\n"})
        EXPECT_NE(text.find(line), std::string::npos) << line;
}

TEST(Metrics, the_listener_demands_its_token) {
    const auto text = [] { return std::string("metric 1\n"); };
    const Secret token("secret");
    Request request;
    request.method = "GET";
    request.path = "/metrics";
    EXPECT_EQ(answer_metrics(Secret(), text, request).status, 200);
    EXPECT_EQ(answer_metrics(token, text, request).status, 401);
    request.headers.add("Authorization", "Bearer secreT");
    EXPECT_EQ(answer_metrics(token, text, request).status, 401);
    request.headers.set("Authorization", "Bearer secret");
    EXPECT_EQ(answer_metrics(token, text, request).status, 200);
    request.path = "/v1/traces";
    EXPECT_EQ(answer_metrics(token, text, request).status, 404);
}

} // namespace tenancy::server
