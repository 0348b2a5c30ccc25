// The headers that each request to the model carries, as the configuration names them.
#include "config.hpp"

#include <gtest/gtest.h>

namespace tenancy::server {

namespace {

// The headers begin at line 3, and two blanks further in.
LoadedConfig with_headers(const std::string &lines) {
    return load_config_text("model: {provider: openai, name: m, endpoint: 'https://m.example/v1',\n"
                            "  headers: {\n" +
                                lines +
                                "  }}\n"
                                "server: {storage: {database_url: x}}\n",
                            "a.yaml");
}

std::vector<std::string> errors_of(const std::string &lines) {
    return with_headers(lines).errors;
}

using Errors = std::vector<std::string>;

const std::string kCannotBeSet =
    "cannot be set. Use the name of a header that tenancyd does not send itself.";

} // namespace

TEST(ModelHeaders, are_taken_as_they_are_written) {
    const LoadedConfig loaded = with_headers("  X-Gateway-Key: a key,\n"
                                             "  x_1!#$%&'*+-.^`|~: '~',\n"
                                             "  X-Empty: ''\n");
    ASSERT_EQ(loaded.errors, Errors());
    const auto &headers = loaded.config.model.headers;
    ASSERT_EQ(headers.size(), 3U);
    EXPECT_EQ(headers.at("X-Gateway-Key").reveal(), "a key");
    EXPECT_EQ(headers.at("x_1!#$%&'*+-.^`|~").reveal(), "~");
    EXPECT_TRUE(headers.at("X-Empty").empty());
    EXPECT_TRUE(with_headers("").config.model.headers.empty());
}

TEST(ModelHeaders, may_hold_a_secret_of_the_environment) {
    setenv("TEST_GATEWAY_KEY", "hunter2", 1);
    const auto loaded = with_headers("  X-Gateway-Key: 'Key ${TEST_GATEWAY_KEY}'\n");
    ASSERT_EQ(loaded.errors, Errors());
    EXPECT_EQ(loaded.config.model.headers.at("X-Gateway-Key").reveal(), "Key hunter2");
    unsetenv("TEST_GATEWAY_KEY");
    const Errors errors = errors_of("  X-Other: a,\n  X-Gateway-Key: '${TEST_GATEWAY_KEY}'\n");
    ASSERT_EQ(errors.size(), 1U);
    EXPECT_EQ(errors[0].find("a.yaml:4: model.headers.X-Gateway-Key: environment variable "
                             "TEST_GATEWAY_KEY is not set"),
              0U)
        << errors[0];
}

TEST(ModelHeaders, cannot_be_those_that_tenancyd_sends_itself) {
    for (const char *name :
         {"Accept", "Accept-Encoding", "Authorization", "authorization", "Connection",
          "Content-Length", "Content-Type", "Expect", "HOST", "traceparent", "Traceparent",
          "Transfer-Encoding", "Upgrade", "User-Agent", "X-Request-ID", "x-request-id"})
        EXPECT_EQ(errors_of("  X-Good: a,\n  " + std::string(name) + ": a\n"),
                  Errors{"a.yaml:4: model.headers." + std::string(name) + ": " + kCannotBeSet});
}

TEST(ModelHeaders, have_names_of_token_characters) {
    for (const char *name : {"", "a b", "a:b", "a/b", "a(b", "a@b", "a{b", "\xC3\xA4"})
        EXPECT_EQ(errors_of("  X-Good: a,\n  '" + std::string(name) + "': a\n"),
                  Errors{"a.yaml:4: model.headers." + std::string(name) + ": " + kCannotBeSet});
    for (const char *escape : {"\\r\\n", "\\0", "\\t", "\\x7f"})
        EXPECT_EQ(errors_of("  \"a" + std::string(escape) + "b\": c\n").size(), 1U) << escape;
}

TEST(ModelHeaders, have_values_of_printable_ascii_and_no_message_quotes_one) {
    for (const char *value :
         {"\\r\\nX-Evil: hunter2", "hunter2\\0", "\\thunter2", "hunter2\\x7f", "hunter2\xC3\xA4"})
        EXPECT_EQ(errors_of("  X-Good: a,\n  X-Key: \"" + std::string(value) + "\"\n"),
                  Errors{"a.yaml:4: model.headers.X-Key: must be printable ASCII characters."});
    setenv("TEST_GATEWAY_KEY", "hunter2\n", 1);
    EXPECT_EQ(errors_of("  X-Key: '${TEST_GATEWAY_KEY}'\n"),
              Errors{"a.yaml:3: model.headers.X-Key: must be printable ASCII characters."});
    unsetenv("TEST_GATEWAY_KEY");
    EXPECT_EQ(errors_of("  X-Key: [hunter2]\n"),
              Errors{"a.yaml:3: model.headers.X-Key: must be a single value."});
}

TEST(ModelHeaders, are_named_once) {
    EXPECT_EQ(errors_of("  X-Key: a,\n  X-Key: b\n").size(), 1U);
}

TEST(ModelHeaders, of_one_endpoint_do_not_go_to_another) {
    const LoadedConfig loaded = load_config_text(
        "model:\n"
        "  {provider: openai, name: m, endpoint: 'https://m.example/v1', headers: {X-Key: a},\n"
        "   fallbacks: [{name: same}, {name: other, endpoint: 'https://n.example/v1'},\n"
        "     {name: own, headers: {X-Own: b}}, {name: bad, headers: {Host: b}}]}\n"
        "server: {storage: {database_url: x}}\n",
        "a.yaml");
    EXPECT_EQ(loaded.errors, Errors{"a.yaml:4: model.fallbacks[3].headers.Host: " + kCannotBeSet});
    const auto &fallbacks = loaded.config.model.fallbacks;
    ASSERT_EQ(fallbacks.size(), 4U);
    EXPECT_EQ(fallbacks[0].headers.at("X-Key").reveal(), "a");
    EXPECT_TRUE(fallbacks[1].headers.empty());
    ASSERT_EQ(fallbacks[2].headers.size(), 1U);
    EXPECT_EQ(fallbacks[2].headers.at("X-Own").reveal(), "b");
}

} // namespace tenancy::server
