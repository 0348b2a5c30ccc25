// The example is the documentation of every default: what it shows must be what is true.
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include <gtest/gtest.h>

#include "config.hpp"

#ifndef EXAMPLE_CONFIG
#define EXAMPLE_CONFIG "server/tenancyd.example.yaml"
#endif

namespace tenancy::server {

namespace {

std::string example() {
    const std::ifstream in(EXAMPLE_CONFIG);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

Config plain() {
    return load_config_text("model: {provider: echo}\n"
                            "server: {storage: {database_url: x}}\n",
                            "a.yaml")
        .config;
}

// All keys that are commented out become real, but for those that end in `left_out`, of which each
// has an alternative.
std::string uncommented(const std::string &left_out) {
    static const std::regex commented(R"(^( *)# ([a-z_0-9]+:.*)$)");
    static const std::regex entry(R"(^( *)#( - | {3})([a-z_]+:.*)$)");
    std::istringstream in(example());
    std::ostringstream out;
    for (std::string line; std::getline(in, line);) {
        std::smatch parts;
        if (std::regex_match(line, parts, commented)) {
            const std::string key = parts[2].str().substr(0, parts[2].str().find(':'));
            const bool is_out =
                key.size() > left_out.size() &&
                key.compare(key.size() - left_out.size(), left_out.size(), left_out) == 0 &&
                key != "ca_file";
            out << (is_out ? line : parts[1].str() + parts[2].str()) << '\n';
        } else if (std::regex_match(line, parts, entry) &&
                   parts[3].str().rfind("jwks_url", 0) != 0) {
            out << parts[1].str() << parts[2].str() << parts[3].str() << '\n';
        } else {
            // A list that is filled below is not an empty one.
            out << std::regex_replace(
                       line, std::regex(R"(^( *(issuers|tenants|fallbacks):) \[\]$)"), "$1")
                << '\n';
        }
    }
    return out.str();
}

} // namespace

TEST(ConfigExample, loads_as_it_is) {
    const LoadedConfig loaded = load_config_file(EXAMPLE_CONFIG);
    EXPECT_EQ(loaded.errors, std::vector<std::string>());
    EXPECT_EQ(loaded.config.warnings, std::vector<std::string>());
}

TEST(ConfigExample, shows_the_defaults) {
    const Config shown = load_config_file(EXAMPLE_CONFIG).config;
    const Config real = plain();
    EXPECT_TRUE(shown.agent == real.agent);
    EXPECT_EQ(shown.host, real.host);
    EXPECT_EQ(shown.port, real.port);
    EXPECT_TRUE(shown.tls == real.tls);
    EXPECT_TRUE(shown.limits == real.limits);
    EXPECT_TRUE(shown.shared_limit == real.shared_limit);
    EXPECT_TRUE(shown.metrics == real.metrics);
    EXPECT_TRUE(shown.alerts == real.alerts);
    EXPECT_TRUE(shown.traces == real.traces);
    EXPECT_TRUE(shown.tenancy == real.tenancy);
    EXPECT_TRUE(shown.key_sync == real.key_sync);
    EXPECT_TRUE(shown.budget == real.budget);
    EXPECT_EQ(shown.log_level, real.log_level);
    ModelConfig model; // what is required has no default
    model.endpoint = shown.model.endpoint;
    model.name = shown.model.name;
    EXPECT_TRUE(shown.model == model);
    StorageConfig storage;
    storage.database_url = shown.storage.database_url;
    EXPECT_TRUE(shown.storage == storage);
    PriceConfig free;
    free.input_per_1k = free.output_per_1k = free.per_request = "0";
    EXPECT_TRUE(shown.prices == (std::map<std::string, PriceConfig>{{"", free}}));
}

TEST(ConfigExample, loads_with_every_comment_made_real) {
    for (const char *name :
         {"MODEL_API_KEY", "METRICS_TOKEN", "ALERTS_SECRET", "OTEL_TOKEN", "VALKEY_PASSWORD"})
        setenv(name, "a-value", 1);
    const std::string directory = testing::TempDir() + "config_example_test.";
    const std::vector<std::string> files = {"model.key", "metrics.token", "alerts.secret",
                                            "otel.token"};
    for (const std::string &file : files)
        std::ofstream(directory + file) << "a-value\n";
    for (const char *left_out : {"_file", "_env"}) {
        const std::string text =
            std::regex_replace(uncommented(left_out), std::regex("/etc/tenancyd/"), directory);
        const LoadedConfig loaded = load_config_text(text, "a.yaml");
        EXPECT_EQ(loaded.errors, std::vector<std::string>());
        EXPECT_EQ(loaded.config.warnings, std::vector<std::string>());
    }
    for (const std::string &file : files)
        std::filesystem::remove(directory + file);
}

TEST(ConfigExample, comments_of_entries_show_the_defaults_too) {
    const Config shown = load_config_text(uncommented("_file"), "a.yaml").config;
    ASSERT_EQ(shown.tenancy.issuers.size(), 1U);
    IssuerConfig issuer; // but for what is required
    issuer.issuer = shown.tenancy.issuers[0].issuer;
    issuer.audiences = shown.tenancy.issuers[0].audiences;
    issuer.jwks_file = shown.tenancy.issuers[0].jwks_file;
    issuer.one_time_jti = false; // tenancy.add_issuer()'s own
    EXPECT_TRUE(shown.tenancy.issuers[0] == issuer);
    ASSERT_EQ(shown.tenancy.tenants.size(), 1U);
    EXPECT_EQ(shown.tenancy.tenants[0].state, "active");
    EXPECT_EQ(shown.tenancy.budget.warn_ratio, "0.8"); // tenancy.set_budget()'s own
    EXPECT_TRUE(shown.tenancy.admin_url);
}

} // namespace tenancy::server
