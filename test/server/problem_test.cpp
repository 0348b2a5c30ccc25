#include "problem.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace tenancy::server {

namespace {

using nlohmann::json;

json body(const Response &response) {
    return json::parse(response.body);
}

std::string header(const Response &response, const char *name) {
    return std::string(response.headers.find(name).value_or("(none)"));
}

} // namespace

TEST(Problem, every_code_has_a_status_and_a_json_detail) {
    for (int number = 0; number <= static_cast<int>(Code::internal); ++number) {
        const auto code = static_cast<Code>(number);
        const Response response = problem(code);
        EXPECT_EQ(response.status, code_status(code));
        EXPECT_GE(response.status, 400);
        EXPECT_TRUE(body(response)["detail"].is_string()) << code_name(code);
        EXPECT_EQ(number == static_cast<int>(Code::internal), code_status(code) == 500);
    }
}

TEST(Problem, bodies_carry_both_shapes) {
    const json answer = body(problem(Code::too_large));
    EXPECT_EQ(answer["error"]["message"], answer["detail"]);
    EXPECT_EQ(answer["error"]["code"], "too_large");
    EXPECT_EQ(answer["error"]["type"], "invalid_request_error");
    EXPECT_TRUE(answer["error"]["param"].is_null());
}

TEST(Problem, unknown_paths_answer_as_the_reference) {
    EXPECT_EQ(problem(Code::not_found).body, R"({"detail":"Not Found"})");
    EXPECT_EQ(problem(Code::method_not_allowed).body, R"({"detail":"Method Not Allowed"})");
}

TEST(Problem, a_401_says_how_to_authenticate) {
    EXPECT_EQ(header(problem(Code::no_token), "WWW-Authenticate"),
              R"(Bearer error="invalid_token")");
    EXPECT_EQ(problem(Code::no_token).body, problem(Code::invalid_token).body);
    EXPECT_EQ(header(problem(Code::invalid_token), "WWW-Authenticate"),
              "Bearer error=\"invalid_token\"");
}

TEST(Problem, a_refused_token_gets_one_answer_whatever_the_reason) {
    const Response a = database_problem("PT401", "token expired", R"({"code":"token_expired"})");
    const Response b = database_problem("PT401", "unknown key", "");
    EXPECT_EQ(a.status, 401);
    EXPECT_EQ(a.body, b.body);
    EXPECT_EQ(a.body, problem(Code::invalid_token).body);
    EXPECT_EQ(header(a, "WWW-Authenticate"), "Bearer error=\"invalid_token\"");
}

TEST(Problem, class_pt_is_an_http_status_with_its_reason) {
    const Response response =
        database_problem("PT403", "the tenant is suspended", R"({"code":"tenant_suspended"})");
    EXPECT_EQ(response.status, 403);
    EXPECT_EQ(body(response)["error"]["code"], "tenant_suspended");
    EXPECT_EQ(body(response)["detail"], "the tenant is suspended");
    EXPECT_EQ(database_problem("PT409", "x", "").status, 409);
    EXPECT_EQ(header(database_problem("PT503", "x", ""), "Retry-After"), "1");
    EXPECT_EQ(header(database_problem("PT429", "x", ""), "Retry-After"), "1");
}

TEST(Problem, only_true_statuses_come_out_of_class_pt) {
    for (const char *state : {"PT000", "PT200", "PT399", "PT600", "PT999", "PTabc", "PT4x1"})
        EXPECT_EQ(database_problem(state, "x", "").status, 500) << state;
}

TEST(Problem, input_that_the_database_cannot_read_is_422) {
    for (const char *state : {"22P02", "22P05", "22030", "54001", "22021", "22003"})
        EXPECT_EQ(database_problem(state, "secret", "secret").status, 422) << state;
}

TEST(Problem, passing_trouble_is_503_with_retry_after) {
    for (const char *state :
         {"", "08006", "57P01", "57P03", "53300", "40001", "40P01", "57014", "25006", "55P03"}) {
        const Response response = database_problem(state, "x", "");
        EXPECT_EQ(response.status, 503) << state;
        EXPECT_EQ(header(response, "Retry-After"), "1");
    }
}

TEST(Problem, anything_else_is_a_500_that_quotes_nothing) {
    for (const char *state : {"42501", "42883", "XX000", "23505"}) {
        const Response response = database_problem(state, "relation secret", "detail secret");
        EXPECT_EQ(response.status, 500) << state;
        EXPECT_EQ(response.body.find("secret"), std::string::npos);
    }
}

TEST(Problem, bad_json_has_the_validation_shape) {
    const json item = body(invalid_json_problem("why"))["detail"][0];
    EXPECT_EQ(item["type"], "json_invalid");
    EXPECT_EQ(item["loc"], json::parse(R"(["body",0])"));
    EXPECT_EQ(item["msg"], "JSON decode error");
    EXPECT_EQ(item["input"], json::object());
    EXPECT_EQ(item["ctx"]["error"], "why");
}

TEST(Problem, stream_errors_are_one_object) {
    const json error = json::parse(stream_error(Code::upstream_timeout));
    EXPECT_EQ(error["code"], "upstream_timeout");
    EXPECT_TRUE(error["message"].is_string());
}

} // namespace tenancy::server
