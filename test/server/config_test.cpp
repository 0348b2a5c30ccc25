#include "config.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#ifndef EXAMPLE_CONFIG
#define EXAMPLE_CONFIG "server/tenancyd.example.yaml"
#endif

namespace tenancy::server {

namespace {

// The smallest usable file, with room for more below `server:`.
std::string with_server(const std::string &lines) {
    return "model: {provider: echo}\n"
           "server:\n"
           "  storage: {database_url: postgresql://app@localhost/agents}\n" +
           lines;
}

std::string all_errors(const std::string &text) {
    std::string joined;
    for (const std::string &error : load_config_text(text, "a.yaml").errors)
        joined += error + "\n";
    return joined;
}

bool has(const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST(Config, loads_the_shipped_example) {
    const LoadedConfig loaded = load_config_file(EXAMPLE_CONFIG);
    EXPECT_TRUE(loaded.errors.empty());
    EXPECT_TRUE(loaded.config.warnings.empty());
}

TEST(Config, the_example_shows_the_defaults) {
    const Config shown = load_config_file(EXAMPLE_CONFIG).config;
    const Config plain = load_config_text(with_server(""), "a.yaml").config;
    EXPECT_EQ(shown.port, plain.port);
    EXPECT_EQ(shown.host, plain.host);
    EXPECT_EQ(shown.limits.threads, plain.limits.threads);
    EXPECT_EQ(shown.limits.queue, plain.limits.queue);
    EXPECT_EQ(shown.limits.max_turns, plain.limits.max_turns);
    EXPECT_EQ(shown.limits.max_body_bytes, plain.limits.max_body_bytes);
    EXPECT_EQ(shown.limits.max_header_bytes, plain.limits.max_header_bytes);
    EXPECT_EQ(shown.limits.request_timeout, plain.limits.request_timeout);
    EXPECT_EQ(shown.limits.write_timeout, plain.limits.write_timeout);
    EXPECT_EQ(shown.limits.keep_alive_timeout, plain.limits.keep_alive_timeout);
    EXPECT_EQ(shown.limits.shutdown_timeout, plain.limits.shutdown_timeout);
    EXPECT_EQ(shown.storage.pool_size, plain.storage.pool_size);
    EXPECT_EQ(shown.storage.acquire_timeout, plain.storage.acquire_timeout);
    EXPECT_EQ(shown.storage.statement_timeout, plain.storage.statement_timeout);
    EXPECT_EQ(shown.storage.prepare_statements, plain.storage.prepare_statements);
    EXPECT_EQ(shown.model.connect_timeout, plain.model.connect_timeout);
    EXPECT_EQ(shown.model.first_token_timeout, plain.model.first_token_timeout);
    EXPECT_EQ(shown.model.idle_timeout, plain.model.idle_timeout);
    EXPECT_EQ(shown.model.total_timeout, plain.model.total_timeout);
    EXPECT_EQ(shown.metrics.port, plain.metrics.port);
    EXPECT_EQ(shown.metrics.enabled, plain.metrics.enabled);
    EXPECT_EQ(shown.agent.name, plain.agent.name);
    EXPECT_EQ(shown.tenancy.budget.window, plain.tenancy.budget.window);
}

TEST(Config, listens_on_loopback_unless_told_otherwise) {
    const LoadedConfig loaded = load_config_text(with_server(""), "a.yaml");
    ASSERT_TRUE(loaded.errors.empty());
    EXPECT_EQ(loaded.config.host, "127.0.0.1");
    EXPECT_EQ(loaded.config.port, 8080);
}

TEST(Config, unknown_key_is_named_with_line_and_guess) {
    EXPECT_TRUE(has(all_errors(with_server("  prot: 1\n")),
                    "a.yaml:4: server.prot: unknown key. Did you mean \"port\"?"));
}

TEST(Config, unknown_key_far_from_everything_gets_no_guess) {
    EXPECT_TRUE(has(all_errors("zzzzzzzz: 1\n" + with_server("")),
                    "a.yaml:1: zzzzzzzz: unknown key. Remove"));
}

TEST(Config, a_misspelt_security_key_is_an_error) {
    EXPECT_TRUE(has(all_errors(with_server("  tenancy:\n"
                                           "    issuers:\n"
                                           "      - issuer: https://i\n"
                                           "        audience: a\n"
                                           "        max_age_secnds: 5\n")),
                    "a.yaml:8: server.tenancy.issuers[0].max_age_secnds: unknown key"));
}

TEST(Config, a_key_given_twice_is_an_error) {
    EXPECT_TRUE(has(all_errors(with_server("  port: 1\n  port: 2\n")),
                    "a.yaml:5: server.port: is given twice"));
}

TEST(Config, every_mistake_is_reported_at_once) {
    const std::string errors = all_errors(with_server("  port: 70000\n  host: \"\"\n"));
    EXPECT_TRUE(has(errors, "a.yaml:4: server.port: must be a whole number from 1 to 65535"));
    EXPECT_TRUE(has(errors, "a.yaml:5: server.host: is empty"));
}

TEST(Config, broken_yaml_names_the_line) {
    EXPECT_TRUE(has(all_errors("a: 1\nb: [1\n"), "a.yaml:3: not valid YAML"));
}

TEST(Config, other_storage_than_postgres_is_refused) {
    EXPECT_TRUE(has(all_errors("model: {provider: echo}\n"
                               "server: {storage: {backend: sqlite, database_url: x}}\n"),
                    "server.storage.backend: tenancyd keeps everything in PostgreSQL"));
}

TEST(Config, database_url_is_required) {
    EXPECT_TRUE(
        has(all_errors("model: {provider: echo}\n"), "server.storage.database_url: is missing"));
}

TEST(Config, openai_needs_endpoint_and_name) {
    const std::string errors = all_errors("server: {storage: {database_url: x}}\n");
    EXPECT_TRUE(has(errors, "model.endpoint: must be the base URL"));
    EXPECT_TRUE(has(errors, "model.name: is missing"));
}

TEST(Config, missing_file_is_an_error) {
    const LoadedConfig loaded = load_config_file("/nonexistent/a.yaml");
    ASSERT_EQ(loaded.errors.size(), 1U);
    EXPECT_TRUE(has(loaded.errors[0], "cannot be opened"));
}

TEST(Config, unused_keys_of_agent_yaml_are_warnings) {
    const LoadedConfig loaded =
        load_config_text(with_server("  compaction: {enabled: true}\n") + "tools: {}\n", "a.yaml");
    EXPECT_TRUE(loaded.errors.empty());
    ASSERT_EQ(loaded.config.warnings.size(), 2U);
    EXPECT_EQ(loaded.config.warnings[0], "a.yaml:4: server.compaction: has no effect in tenancyd.");
}

TEST(Config, files_are_off_unless_enabled_and_have_limits_of_their_own) {
    EXPECT_EQ(load_config_text(with_server(""), "a.yaml").config.limits.max_upload_bytes, 0U);
    const LoadedConfig loaded = load_config_text(
        with_server(
            "  files: {enabled: true, max_file_size_bytes: 1000, allowed_mime_types: [a/b]}\n"),
        "a.yaml");
    EXPECT_TRUE(loaded.errors.empty());
    EXPECT_EQ(loaded.config.limits.max_upload_bytes, 1000U + 65536U);
    EXPECT_EQ(loaded.config.files.allowed_mime_types, std::vector<std::string>{"a/b"});
    const std::string errors =
        all_errors(with_server("  files: {max_file_bytes: 1, allowed_mime_types: [Text/Plain]}\n"));
    EXPECT_TRUE(has(errors, "max_file_bytes"));
    EXPECT_TRUE(has(errors, "allowed_mime_types: has \"Text/Plain\""));
}

TEST(Config, money_stays_text_and_must_be_plain) {
    const LoadedConfig loaded = load_config_text(
        with_server("  tenancy: {budget: {limit_usd: 12.5000000000000000001}}\n"), "a.yaml");
    EXPECT_EQ(loaded.config.tenancy.budget.limit_usd, "12.5000000000000000001");
    for (const char *bad : {"1e3", "-1", ".5", "5.", "1,5", "0x10", "nan"})
        EXPECT_TRUE(has(all_errors(with_server("  tenancy: {budget: {limit_usd: \"" +
                                               std::string(bad) + "\"}}\n")),
                        "limit_usd: must be a plain decimal"))
            << bad;
}

TEST(Config, tenant_overrides_are_read_and_checked) {
    const std::string text = "  tenancy:\n"
                             "    overrides:\n"
                             "      acme: {rate_limit: {requests_per_minute: 60, burst: 5}}\n"
                             "      globex: {rate_limit: {burst: 5}}\n";
    const LoadedConfig loaded = load_config_text(with_server(text), "a.yaml");
    EXPECT_EQ(loaded.config.tenancy.overrides.at("acme").rate_limit.burst, 5);
    ASSERT_EQ(loaded.errors.size(), 1U);
    EXPECT_TRUE(has(loaded.errors[0], "overrides.globex.rate_limit.burst: needs"));
}

TEST(Config, weak_algorithms_and_plain_http_key_sources_are_refused) {
    const std::string errors = all_errors(with_server("  tenancy:\n"
                                                      "    issuers:\n"
                                                      "      - issuer: https://i\n"
                                                      "        audience: a\n"
                                                      "        algorithms: [HS256]\n"
                                                      "        jwks_url: http://i/jwks\n"));
    EXPECT_TRUE(has(errors, "algorithms: may hold ES256 and RS256 only"));
    EXPECT_TRUE(has(errors, "jwks_url: must start with https://"));
}

TEST(Config, metrics_open_to_the_network_need_a_token) {
    EXPECT_TRUE(has(all_errors(with_server("  metrics: {enabled: true, host: 0.0.0.0}\n")),
                    "server.metrics.host: is reachable from outside"));
}

TEST(Config, turns_must_leave_threads_free) {
    EXPECT_TRUE(has(all_errors(with_server("  limits: {threads: 4, max_turns: 4}\n")),
                    "server.limits.max_turns: must be less than threads"));
}

TEST(Config, limits_must_fit_the_descriptors) {
    EXPECT_TRUE(
        has(all_errors(with_server("  limits: {threads: 500, queue: 400, max_turns: 100}\n")),
            "Keep the sum at 900 or less"));
}

TEST(Config, a_secret_never_appears_in_a_message) {
    setenv("TEST_DB_PASSWORD", "hunter2", 1);
    const std::string errors =
        all_errors("model: {provider: ehco}\n"
                   "server: {storage: {database_url: \"postgresql://app:${TEST_DB_PASSWORD}@h/d\", "
                   "pool_size: x}}\n");
    EXPECT_FALSE(errors.empty());
    EXPECT_FALSE(has(errors, "hunter2"));
}

} // namespace tenancy::server
