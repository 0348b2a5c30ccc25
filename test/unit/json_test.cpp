#include "core/json.hpp"

#include "codes.hpp"

#include <map>
#include <string>

#include <gtest/gtest.h>

namespace tenancy::core {
namespace {

constexpr JsonLimits kLoose{64, 100'000};

Code read(std::string_view json, const JsonLimits &limits = kLoose) {
    return read_json_object(json, limits,
                            [](const JsonPlace &, const JsonValue &) { return Code::ok; });
}

// Every event, spelled "place=kind:value".
std::string trace(std::string_view json) {
    std::string events;
    const Code why =
        read_json_object(json, kLoose, [&](const JsonPlace &place, const JsonValue &value) {
            for (std::size_t level = 0; level < place.depth(); ++level)
                events.append(place.is_index(level) ? "#" : "/").append(place.name(level));
            constexpr const char *kKinds[] = {"null", "bool", "int", "real", "string", "{", "["};
            events.append("=").append(kKinds[static_cast<int>(value.kind)]);
            if (value.kind == JsonValue::Kind::integer)
                events.append(":" + std::to_string(value.integer));
            if (value.kind == JsonValue::Kind::boolean)
                events.append(value.truth ? ":true" : ":false");
            events.append(value.text.empty() ? "" : ":").append(value.text).append(" ");
            return Code::ok;
        });
    return why == Code::ok ? events : code_name(why);
}

TEST(ReadJson, tells_where_every_value_stands) {
    EXPECT_EQ(trace(R"({"a":1,"b":{"c":[true,"x",[null],{"d":1.5}]},"e":"y"})"),
              "/a=int:1 /b={ /b/c=[ /b/c#0=bool:true /b/c#1=string:x /b/c#2=[ /b/c#2#0=null "
              "/b/c#3={ /b/c#3/d=real:1.5 /e=string:y ");
    EXPECT_EQ(trace(R"({"a":[],"b":[[],[1]],"":{"":-2}})"),
              "/a=[ /b=[ /b#0=[ /b#1=[ /b#1#0=int:1 /={ //=int:-2 ");
}

TEST(ReadJson, unescapes_names_and_strings) {
    EXPECT_EQ(trace(R"({"\u0061\/":"\u00e9\ud83d\ude00"})"),
              "/a/=string:\xC3\xA9\xF0\x9F\x98\x80 ");
}

TEST(ReadJson, keeps_real_numbers_as_spelled) {
    EXPECT_EQ(trace(R"({"a":1.70E+9,"b":-0.5,"c":1e2})"),
              "/a=real:1.70E+9 /b=real:-0.5 /c=real:1e2 ");
}

TEST(ReadJson, tells_members_from_elements_in_encoded_places) {
    std::map<std::string, std::string> places;
    (void)read_json_object(R"({"0":"m","a":["i"],"i0":{"x":"n"}})", kLoose,
                           [&](const JsonPlace &place, const JsonValue &value) {
                               places[std::string(value.text)] = place.encoded();
                               return Code::ok;
                           });
    EXPECT_EQ(places["m"], std::string("m0\0", 3));
    EXPECT_EQ(places["i"], std::string("ma\0i0\0", 6));
    EXPECT_EQ(places["n"], std::string("mi0\0mx\0", 7));
}

TEST(ReadJson, refuses_roots_that_are_not_objects) {
    for (const char *json : {"1", "[]", "[{}]", "null", "\"\"", "true", "-1.5"})
        EXPECT_EQ(read(json), Code::json_not_object) << json;
    EXPECT_EQ(read(""), Code::json_malformed);
    EXPECT_EQ(read(" "), Code::json_malformed);
    EXPECT_EQ(read(" {} "), Code::ok);
}

TEST(ReadJson, refuses_duplicates_at_every_level) {
    for (const char *json :
         {R"({"a":1,"a":1})", R"({"a":1,"b":2,"\u0061":3})", R"({"":1,"":2})",
          R"({"x":{"a":1,"a":2}})", R"({"x":[{"a":1},{"b":{},"a":1,"b":1}]})",
          R"({"a":{"b":1},"c":2,"a":3})", R"({"b":{"a":1},"a":{"b":{"c":1}},"b":1})"})
        EXPECT_EQ(read(json), Code::json_duplicate_member) << json;
    EXPECT_EQ(read(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}],"A":1})"), Code::ok);
}

TEST(ReadJson, finds_duplicates_among_many_names) {
    std::string json = "{";
    for (int i = 0; i < 20'000; ++i)
        json.append("\"n" + std::to_string(i) + "\":0,");
    EXPECT_EQ(read(json + "\"x\":1}"), Code::ok);
    EXPECT_EQ(read(json + "\"n777\":1}"), Code::json_duplicate_member);
}

TEST(ReadJson, bounds_depth_and_values) {
    EXPECT_EQ(read(R"({"a":[{}]})", {3, 10}), Code::ok);
    EXPECT_EQ(read(R"({"a":[{}]})", {2, 10}), Code::json_too_deep);
    EXPECT_EQ(read(R"({"a":[1,2]})", {3, 3}), Code::ok);
    EXPECT_EQ(read(R"({"a":[1,2,3]})", {3, 3}), Code::json_too_many_values);
    EXPECT_EQ(read("{\"a\":" + std::string(1'000'000, '['), {16, 100}), Code::json_too_deep);
}

TEST(ReadJson, refuses_nul_in_every_spelling) {
    EXPECT_EQ(read(std::string("{}\0", 3)), Code::json_nul_character);
    EXPECT_EQ(read(std::string("\0{}", 3)), Code::json_nul_character);
    EXPECT_EQ(read(std::string("{\"a\":1}\0{", 9)), Code::json_nul_character);
    EXPECT_EQ(read(R"({"a":"\u0000"})"), Code::json_nul_character);
    EXPECT_EQ(read(R"({"\u0000":1})"), Code::json_nul_character);
}

TEST(ReadJson, refuses_numbers_it_cannot_represent) {
    EXPECT_EQ(trace(R"({"a":9223372036854775807,"b":-9223372036854775808})"),
              "/a=int:9223372036854775807 /b=int:-9223372036854775808 ");
    for (const char *number : {"9223372036854775808", "-9223372036854775809", "1e400", "-1e400",
                               "99999999999999999999999999"})
        EXPECT_EQ(read(std::string("{\"a\":") + number + "}"), Code::json_number_out_of_range)
            << number;
}

TEST(ReadJson, stops_when_the_visitor_says_so) {
    int visits = 0;
    const Code why = read_json_object(R"({"a":1,"b":2})", kLoose,
                                      [&visits](const JsonPlace &, const JsonValue &) {
                                          ++visits;
                                          return Code::token_expired;
                                      });
    EXPECT_EQ(why, Code::token_expired);
    EXPECT_EQ(visits, 1);
}

TEST(ReadJson, refuses_byte_order_marks_and_comments) {
    EXPECT_EQ(read("\xEF\xBB\xBF{}"), Code::json_malformed);
    EXPECT_EQ(read("{}//"), Code::json_malformed);
    EXPECT_EQ(read("/**/{}"), Code::json_malformed);
}

} // namespace
} // namespace tenancy::core
