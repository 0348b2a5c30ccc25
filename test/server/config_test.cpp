#include "config.hpp"

#include <gtest/gtest.h>

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

TEST(Config, a_protection_that_is_not_enforced_here_is_an_error) {
    EXPECT_TRUE(has(all_errors(with_server("  permissions: {default_action: deny}\n")),
                    "a.yaml:4: server.permissions: is not enforced by tenancyd. Remove it."));
    EXPECT_TRUE(has(all_errors("security: {tls: true}\n" + with_server("")),
                    "a.yaml:1: security: is not enforced by tenancyd."));
    EXPECT_TRUE(has(all_errors("security: strict\n" + with_server("")), "a.yaml:1: security: is"));
    EXPECT_TRUE(has(all_errors("model: {provider: echo, limits: {max_cost_per_turn_usd: 1}}\n"
                               "server: {storage: {database_url: x}}\n"),
                    "model.limits: is not enforced by tenancyd."));
    EXPECT_EQ(all_errors("security: {}\n" + with_server("  permissions:\n")), "");
}

TEST(Config, stores_cannot_be_switched_off_and_that_is_said) {
    const LoadedConfig loaded =
        load_config_text(with_server("  traces: {enabled: false}\n"), "a.yaml");
    ASSERT_EQ(loaded.config.warnings.size(), 1U);
    EXPECT_EQ(loaded.config.warnings[0],
              "a.yaml:4: server.traces.enabled: has no effect in tenancyd.");
}

TEST(Config, a_tenant_needs_id_issuer_and_claim_value) {
    const std::string errors =
        all_errors(with_server("  tenancy: {tenants: [{id: acme, state: paused}]}\n"));
    EXPECT_TRUE(has(errors, "server.tenancy.tenants[0].issuer: is missing."));
    EXPECT_TRUE(has(errors, "server.tenancy.tenants[0].claim_value: is missing."));
    EXPECT_TRUE(has(errors, "tenants[0].state: must be one of active, suspended"));
}

TEST(Config, a_warning_share_is_above_nothing_and_at_most_all) {
    const auto errors_of = [](const std::string &share) {
        return all_errors(with_server("  tenancy: {budget: {warn_ratio: " + share + "}}\n"));
    };
    for (const char *good : {"0.8", "0.01", "1", "1.0", "01.00"})
        EXPECT_EQ(errors_of(good), "") << good;
    for (const char *bad : {"0", "0.0", "1.01", "2", "10", "100.5"})
        EXPECT_TRUE(has(errors_of(bad), "warn_ratio: must be above 0 and up to 1")) << bad;
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

TEST(Config, file_quotas_and_one_time_tokens_are_read_and_checked) {
    const std::string text = "  tenancy:\n"
                             "    file_quota: {max_bytes: 9, allowed_mime_types: [text/plain]}\n"
                             "    issuers: [{issuer: i, audience: a, one_time_jti: true}]\n"
                             "    overrides:\n"
                             "      acme: {file_quota: {max_files: 2, max_file_bytes: 3}}\n";
    const TenancyConfig read = load_config_text(with_server(text), "a.yaml").config.tenancy;
    EXPECT_EQ(read.file_quota.max_bytes, 9);
    EXPECT_EQ(read.file_quota.allowed_mime_types, std::vector<std::string>{"text/plain"});
    EXPECT_EQ(read.overrides.at("acme").file_quota.max_files, 2);
    EXPECT_EQ(read.issuers.at(0).one_time_jti, true);
    const std::string errors = all_errors(
        with_server("  tenancy:\n"
                    "    file_quota: {max_byte: 9}\n"
                    "    issuers: [{issuer: i, audience: a, one_time_jit: true}]\n"
                    "    overrides: {acme: {file_quota: {max_files: -1}, file_quote: {}}}\n"));
    EXPECT_TRUE(has(errors, "a.yaml:5: server.tenancy.file_quota.max_byte: unknown key. Did you "
                            "mean \"max_bytes\"?"));
    EXPECT_TRUE(has(errors, "a.yaml:6: server.tenancy.issuers[0].one_time_jit: unknown key. Did "
                            "you mean \"one_time_jti\"?"));
    EXPECT_TRUE(has(errors, "overrides.acme.file_quota.max_files: must be"));
    EXPECT_TRUE(has(errors, "overrides.acme.file_quote: unknown key"));
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

TEST(Config, tls_needs_both_files) {
    EXPECT_TRUE(has(all_errors(with_server("  tls: {certificate_file: a.crt}\n")),
                    "server.tls.key_file: is missing"));
    EXPECT_TRUE(
        has(all_errors(with_server("  tls: {min_version: 1.1}\n")), "server.tls.min_version"));
}

TEST(Config, limits_must_fit_the_descriptors) {
    EXPECT_TRUE(has(all_errors(with_server("  limits: {max_connections: 800, max_turns: 90}\n")),
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
