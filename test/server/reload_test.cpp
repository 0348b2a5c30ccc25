#include "reload.hpp"

#include <gtest/gtest.h>

namespace tenancy::server {

namespace {

Config config_of(const std::string &model, const std::string &server) {
    const LoadedConfig loaded = load_config_text(
        "model: {provider: echo" + model + "}\n" +
            "server: {storage: {database_url: x, maintenance_url: m}" + server + "}\n",
        "a.yaml");
    EXPECT_EQ(loaded.errors, std::vector<std::string>());
    return loaded.config;
}

using Keys = std::vector<std::string>;

} // namespace

TEST(Reload, what_needs_no_restart_is_taken_over) {
    const Config running = config_of("", "");
    const Config fresh = config_of(
        ", endpoint: \"https://b/v1\", echo_delay_ms: 5, idle_timeout_seconds: 7",
        ", limits: {max_turns: 5, shutdown_timeout_seconds: 1}, rate_limit: {timeout_ms: 9}"
        ", alerts: {timeout_seconds: 3}");
    EXPECT_EQ(restart_keys(running, fresh), Keys());
    const Config next = merged(running, fresh);
    EXPECT_TRUE(next.model == fresh.model);
    EXPECT_TRUE(next.limits == fresh.limits);
    EXPECT_TRUE(next.shared_limit == fresh.shared_limit);
    EXPECT_TRUE(next.alerts == fresh.alerts);
}

TEST(Reload, what_needs_one_is_named_and_stays) {
    const Config running = config_of("", "");
    const Config fresh =
        config_of(", name: other", ", host: 127.0.0.2, port: 1, limits: {threads: 90, queue: 3}"
                                   ", metrics: {enabled: true, host: localhost, port: 2}");
    EXPECT_EQ(restart_keys(running, fresh),
              (Keys{"model.name", "server.host", "server.port", "server.limits.threads",
                    "server.limits.queue", "server.metrics.enabled", "server.metrics.host",
                    "server.metrics.port"}));
    const Config next = merged(running, fresh);
    EXPECT_EQ(next.port, running.port);
    EXPECT_EQ(next.model.name, running.model.name);
    EXPECT_TRUE(next.limits == running.limits);
}

TEST(Reload, storage_stays) {
    const Config running = config_of("", "");
    Config fresh = running;
    fresh.storage.database_url = Secret("y");
    fresh.storage.pool_size = 2;
    EXPECT_EQ(restart_keys(running, fresh),
              (Keys{"server.storage.database_url", "server.storage.pool_size"}));
    EXPECT_TRUE(merged(running, fresh).storage == running.storage);
}

// The new file's own check is against its own threads.
TEST(Reload, more_turns_than_running_threads_wait_for_a_restart) {
    const Config running = config_of("", ", limits: {threads: 20, max_turns: 10}");
    const Config fresh = config_of("", ", limits: {threads: 90, max_turns: 50}");
    EXPECT_EQ(restart_keys(running, fresh),
              (Keys{"server.limits.threads", "server.limits.max_turns"}));
    EXPECT_EQ(merged(running, fresh).limits.max_turns, 10U);
}

TEST(Reload, a_metrics_token_may_change_but_not_go) {
    Config running = config_of("", "");
    running.metrics.token = Secret("old");
    Config fresh = running;
    fresh.metrics.token = Secret("new");
    EXPECT_EQ(merged(running, fresh).metrics.token.reveal(), "new");
    fresh.metrics.token = Secret();
    EXPECT_EQ(merged(running, fresh).metrics.token.reveal(), "old");
    EXPECT_EQ(restart_keys(running, fresh), Keys{"server.metrics.token"});
}

TEST(Reload, an_unchanged_shared_limit_is_the_same_one) {
    const std::string valkey = ", rate_limit: {backend: valkey, valkey_url: \"redis://h\"";
    const SettingsPointer first = make_settings(config_of("", valkey + "}"), nullptr);
    const SettingsPointer second = make_settings(config_of("", valkey + "}"), first.get());
    const SettingsPointer third =
        make_settings(config_of("", valkey + ", timeout_ms: 9}"), second.get());
    EXPECT_EQ(first->shared_limit, second->shared_limit);
    EXPECT_NE(second->shared_limit, third->shared_limit);
}

} // namespace tenancy::server
