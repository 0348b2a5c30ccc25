#include "apply_text.hpp"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace tenancy::server {

namespace {

using Json = nlohmann::json;

Json applied(const std::string &lines) {
    const LoadedConfig loaded = load_config_text(
        "model: {provider: echo, name: parrot}\nserver:\n  storage: {database_url: x}\n" + lines,
        "a.yaml");
    EXPECT_EQ(loaded.errors, std::vector<std::string>());
    return Json::parse(apply_json(loaded.config));
}

} // namespace

TEST(ApplyText, an_empty_file_names_nothing_but_the_model) {
    const Json out = applied("");
    EXPECT_EQ(out["model"], "parrot");
    EXPECT_EQ(out["tenancy"]["rate_limit"], Json::object());
    EXPECT_FALSE(out["tenancy"]["budget"].contains("limit_usd"));
    EXPECT_EQ(out["pricing"], (Json{{"models", Json::object()}}));
    EXPECT_EQ(out["budget"]["per_tenant"], Json::object());
    EXPECT_EQ(out["tenancy"]["file_quota"], Json::object());
    EXPECT_EQ(out["fallback_models"], Json::array());
}

TEST(ApplyText, what_is_said_of_files_and_one_time_tokens_goes_out) {
    const Json out = applied("  tenancy:\n"
                             "    issuers: [{issuer: i, audience: a, one_time_jti: false},\n"
                             "              {issuer: j, audience: a}]\n"
                             "    file_quota: {max_bytes: 0}\n"
                             "    overrides: {acme: {file_quota: {allowed_mime_types: [a/b]}}}\n");
    EXPECT_EQ(out["tenancy"]["issuers"][0]["one_time_jti"], false);
    EXPECT_FALSE(out["tenancy"]["issuers"][1].contains("one_time_jti"));
    EXPECT_EQ(out["tenancy"]["file_quota"], (Json{{"max_bytes", 0}}));
    EXPECT_EQ(out["tenancy"]["overrides"]["acme"]["file_quota"],
              (Json{{"allowed_mime_types", {"a/b"}}}));
}

TEST(ApplyText, money_keeps_every_digit) {
    const Json out = applied("pricing: {models: {m: {input_per_1k: 0.000000000000000000001}}}\n"
                             "budget: {per_session: {limit_usd: 0}}\n");
    EXPECT_EQ(out["pricing"]["models"]["m"], (Json{{"input_per_1k", "0.000000000000000000001"}}));
    EXPECT_EQ(out["budget"]["per_session"], (Json{{"limit_usd", "0"}}));
}

TEST(ApplyText, a_key_set_is_text_and_one_that_is_not_there_is_an_error) {
    const std::string issuers = "  tenancy: {issuers: [{issuer: i, audience: a, jwks_file: ";
    const std::string path = testing::TempDir() + "apply_text_test.jwks";
    std::ofstream(path) << R"({"keys":[],"keys":[]})";
    const Json out = applied(issuers + path + "}]}\n");
    std::filesystem::remove(path);
    EXPECT_EQ(out["tenancy"]["issuers"][0]["jwks"], R"({"keys":[],"keys":[]})");
    EXPECT_THROW(applied(issuers + path + "}]}\n"), std::runtime_error);
}

TEST(ApplyText, a_report_shows_old_and_new_and_no_control_characters) {
    const db::Rows rows = {
        {{"change", "rate limit", "acme", R"({"burst":5,"same":1})", R"({"burst":null,"same":1})"}},
        {{"add", "tenant", "a\x1b[2J", std::nullopt, R"({"state":"active","x":null})"}},
        {{"keep", "price", "m", "{}", "{}"}},
        {{"left alone", "budget", "* tenant per day", "{}", "{}"}},
        {{"unpriced", "price", "m2", std::nullopt, std::nullopt}}};
    const std::string text = apply_report(rows, true);
    EXPECT_NE(text.find("change  rate limit acme\n        burst: 5 -> none\n"), std::string::npos);
    EXPECT_NE(text.find("add     tenant a?[2J\n        state: active\n"), std::string::npos);
    EXPECT_NE(text.find("not in the file, left alone: budget * tenant per day\n"),
              std::string::npos);
    EXPECT_NE(text.find("no price for m2: "), std::string::npos);
    EXPECT_NE(text.find("dry run, nothing was written: 1 added, 1 changed, 0 removed, 1 as they "
                        "were\n"),
              std::string::npos);
    EXPECT_EQ(apply_report({{{"keep", "price", "m", "{}", "{}"}}}, false), "nothing to change\n");
}

} // namespace tenancy::server
