#include "rate/shared_limit.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "config.hpp"
#include "rate/breaker.hpp"

namespace tenancy::server::rate {

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

ValkeyAddress good(std::string_view url) {
    const auto parsed = parse_valkey_url(url);
    if (const auto *problem = std::get_if<std::string>(&parsed))
        ADD_FAILURE() << url << ": " << *problem;
    const auto *address = std::get_if<ValkeyAddress>(&parsed);
    return address != nullptr ? *address : ValkeyAddress{};
}

bool is_bad(std::string_view url) {
    return std::holds_alternative<std::string>(parse_valkey_url(url));
}

std::string errors_of(const std::string &block) {
    std::string joined;
    const auto loaded = load_config_text("model: {provider: echo}\n"
                                         "server:\n"
                                         "  storage: {database_url: postgresql://app@localhost/a}\n"
                                         "  rate_limit: " +
                                             block + "\n",
                                         "a.yaml");
    for (const std::string &error : loaded.errors)
        joined += error + "\n";
    return joined;
}

bool has(const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST(ValkeyUrl, takes_every_part) {
    const ValkeyAddress address = good("redis://me:secret@valkey.example:7000/5");
    EXPECT_EQ(address.host, "valkey.example");
    EXPECT_EQ(address.port, 7000);
    EXPECT_EQ(address.user, "me");
    EXPECT_EQ(address.password.reveal(), "secret");
    EXPECT_EQ(address.database, 5);
    EXPECT_EQ(address.socket, "");
}

TEST(ValkeyUrl, has_defaults) {
    const ValkeyAddress address = good("valkey://localhost");
    EXPECT_EQ(address.host, "localhost");
    EXPECT_EQ(address.port, 6379);
    EXPECT_EQ(address.database, 0);
    EXPECT_TRUE(address.password.empty());
    EXPECT_EQ(good("redis://localhost/").database, 0);
}

TEST(ValkeyUrl, decodes_passwords_with_every_special_character) {
    EXPECT_EQ(good("redis://:p%40s%3as%2F%25%3F@h/1").password.reveal(), "p@s:s/%?");
    EXPECT_EQ(good("redis://:a@b@h").password.reveal(), "a@b");
    EXPECT_TRUE(is_bad("redis://:100%@h"));
    EXPECT_TRUE(is_bad("redis://:%zz@h"));
    EXPECT_TRUE(is_bad("redis://:%1@h"));
}

TEST(ValkeyUrl, takes_addresses_in_brackets) {
    EXPECT_EQ(good("redis://[::1]:7000/2").host, "::1");
    EXPECT_EQ(good("redis://[::1]:7000/2").port, 7000);
    EXPECT_EQ(good("redis://[::1]").port, 6379);
    EXPECT_TRUE(is_bad("redis://[::1"));
    EXPECT_TRUE(is_bad("redis://[::1]7000"));
}

TEST(ValkeyUrl, takes_sockets) {
    const ValkeyAddress address = good("unix://:secret@/run/valkey.sock?db=4");
    EXPECT_EQ(address.socket, "/run/valkey.sock");
    EXPECT_EQ(address.password.reveal(), "secret");
    EXPECT_EQ(address.database, 4);
    EXPECT_EQ(good("unix:///run/valkey.sock").socket, "/run/valkey.sock");
}

TEST(ValkeyUrl, refuses_what_it_does_not_understand) {
    for (const char *url : {"",
                            "localhost",
                            "localhost:6379",
                            "http://localhost",
                            "redis://",
                            "redis://:6379",
                            "redis://h:0",
                            "redis://h:65536",
                            "redis://h:-1",
                            "redis://h:6379x",
                            "redis://h/x",
                            "redis://h/-1",
                            "redis://h/1/2",
                            "redis://secret@h",
                            "redis://user:@h",
                            "unix://",
                            "unix://relative",
                            "unix:///",
                            "unix:///s?db=x",
                            "unix:///s?x=1"})
        EXPECT_TRUE(is_bad(url)) << url;
    EXPECT_TRUE(has(std::get<std::string>(parse_valkey_url("rediss://h")), "TLS"));
}

TEST(SharedLimitConfig, is_off_by_default) {
    EXPECT_EQ(errors_of("{}"), "");
    EXPECT_FALSE(Config().shared_limit.uses_valkey);
    EXPECT_EQ(Config().shared_limit.timeout, milliseconds(50));
    EXPECT_EQ(Config().shared_limit.key_prefix, "tenancy:");
}

TEST(SharedLimitConfig, takes_its_keys_and_no_other) {
    EXPECT_EQ(errors_of("{backend: valkey, valkey_url: 'redis://h', timeout_ms: 5, key_prefix: x}"),
              "");
    EXPECT_TRUE(has(errors_of("{backend: valky}"), "Did you mean \"valkey\"?"));
    EXPECT_TRUE(has(errors_of("{valkey-url: 'redis://h'}"), "Did you mean \"valkey_url\"?"));
    EXPECT_TRUE(has(errors_of("{backend: valkey}"), "server.rate_limit.valkey_url: is missing"));
    EXPECT_TRUE(has(errors_of("{timeout_ms: 0}"), "timeout_ms"));
}

TEST(SharedLimitConfig, never_shows_the_url) {
    const std::string errors = errors_of("{backend: valkey, valkey_url: 'redis://:hush@h:x'}");
    EXPECT_TRUE(has(errors, "server.rate_limit.valkey_url: must be redis://"));
    EXPECT_FALSE(has(errors, "hush"));
}

TEST(SharedLimitConfig, a_prefix_cannot_move_the_tenants_braces) {
    for (const char *prefix : {"'{x}'", "'a}'", "'a b'", R"("a\n")"})
        EXPECT_TRUE(has(errors_of(std::string("{key_prefix: ") + prefix + "}"), "key_prefix"));
    EXPECT_EQ(errors_of("{key_prefix: ''}"), "");
}

TEST(Breaker, keeps_everyone_away_for_its_pause_only) {
    Breaker breaker(milliseconds(100));
    const auto now = Clock::now();
    EXPECT_TRUE(breaker.is_closed(now));
    breaker.failed(now);
    EXPECT_FALSE(breaker.is_closed(now));
    EXPECT_FALSE(breaker.is_closed(now + milliseconds(99)));
    EXPECT_TRUE(breaker.is_closed(now + milliseconds(100)));
}

TEST(SharedLimit, without_a_valkey_there_is_no_decision_and_a_pause) {
    SharedLimitConfig config;
    config.address.socket = "/nonexistent/valkey.sock";
    SharedLimit limit(config);
    EXPECT_TRUE(limit.is_awake());
    const std::string wanted =
        R"({"tenant_id": "acme", "requests": {"per_minute": 60, "burst": 2, "cost": 1}})";
    EXPECT_FALSE(limit.take(wanted).has_value());
    EXPECT_FALSE(limit.is_awake());
    EXPECT_FALSE(limit.take(wanted).has_value());
    limit.give_back({{{"k", 60, 2, 1}}, std::nullopt}); // and nobody minds
    limit.give_back({});
    limit.give_back_unused({}, 5);
}

TEST(SharedLimit, gives_back_only_what_has_not_run_off_since) {
    const FlowCost taken{"k", 60000, 60000, 25000};
    EXPECT_EQ(unused_units(taken, 5000, milliseconds(0)), 20000);
    EXPECT_EQ(unused_units(taken, 5000, milliseconds(10000)), 10000);
    EXPECT_EQ(unused_units(taken, 5000, milliseconds(20000)), 0);
    EXPECT_EQ(unused_units(taken, 5000, std::chrono::hours(24 * 365)), 0);
    EXPECT_EQ(unused_units(taken, 25001, milliseconds(0)), 0);
}

// A listener that accepts (the kernel does) and never answers.
TEST(SharedLimit, a_silent_server_costs_the_timeout_once) {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr *>(&where), size), 0);
    ASSERT_EQ(listen(listener, 16), 0);
    ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr *>(&where), &size), 0);
    SharedLimitConfig config;
    config.address.port = ntohs(where.sin_port);
    config.address.password = Secret("x"); // so that there are several questions
    config.address.database = 3;
    config.timeout = milliseconds(100);
    SharedLimit limit(config);
    const std::string wanted =
        R"({"tenant_id": "acme", "tokens": {"per_minute": 60, "burst": 2, "cost": 1}})";
    const auto started = Clock::now();
    EXPECT_FALSE(limit.take(wanted).has_value());
    EXPECT_GE(Clock::now() - started, milliseconds(95));
    EXPECT_LT(Clock::now() - started, milliseconds(1000));
    const auto again = Clock::now();
    EXPECT_FALSE(limit.take(wanted).has_value());
    EXPECT_LT(Clock::now() - again, milliseconds(90));
    close(listener);
}

} // namespace tenancy::server::rate
