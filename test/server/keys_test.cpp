// The key loader's own judgement: which addresses, which discovery documents, and when.
#include <gtest/gtest.h>

#include "keys/key_source.hpp"
#include "keys/schedule.hpp"
#include "keys/sync_metrics.hpp"
#include "safe_url.hpp"

namespace tenancy::server::keys {
namespace {

using std::chrono::seconds;

TEST(KeyUrl, is_https_or_of_this_machine) {
    for (const char *good :
         {"https://a.example/jwks", "https://a.example", "https://a.example:8443/x?y=z",
          "http://127.0.0.1:8080/jwks", "http://localhost/", "http://[::1]:80/"})
        EXPECT_TRUE(parse_safe_url(good)) << good;
    for (const char *bad : {"",
                            "https://",
                            "https:///x",
                            "http://a.example/",
                            "ftp://a.example/",
                            "HTTPS://a.example/",
                            "http://127.0.0.1.evil.example/",
                            "http://127.0.0.1@evil.example/",
                            "http://localhost.evil/",
                            "https://user@a.example/",
                            "https://a.example/#x",
                            "https://a.example/ x",
                            "https://a.example/\r\nX",
                            "https://a.example:/",
                            "https://a.example:123456/",
                            "https://a.example:8x/",
                            "https://[::1",
                            "//a.example/",
                            "file:///etc/passwd",
                            "http://[::1].evil.example/",
                            "http://[::1]x80",
                            "http://[::1]80",
                            "http://[::1]:"})
        EXPECT_FALSE(parse_safe_url(bad)) << bad;
}

TEST(KeyUrl, is_split_into_origin_and_path) {
    const auto url = parse_safe_url("https://a.example:8443/x/y?z=1");
    ASSERT_TRUE(url);
    EXPECT_EQ(url->origin, "https://a.example:8443");
    EXPECT_EQ(url->path, "/x/y?z=1");
    EXPECT_EQ(parse_safe_url("https://a.example")->path, "/");
    EXPECT_EQ(parse_safe_url("https://a.example?x")->path, "/?x");
}

TEST(Discovery, takes_the_address_from_a_document_of_that_issuer_only) {
    const auto uri = [](const std::string &document) {
        std::string problem;
        const auto found = jwks_uri_of(document, "https://a.example", problem);
        EXPECT_NE(found.has_value(), !problem.empty()) << document;
        return found.value_or("");
    };
    EXPECT_EQ(uri(R"({"issuer":"https://a.example","jwks_uri":"https://keys.example/j"})"),
              "https://keys.example/j");
    for (const char *document :
         {"", "[]", "not json", "{}", R"({"jwks_uri":"https://keys.example/j"})",
          R"({"issuer":"https://a.example/","jwks_uri":"https://keys.example/j"})",
          R"({"issuer":"https://A.example","jwks_uri":"https://keys.example/j"})",
          R"({"issuer":"https://b.example","jwks_uri":"https://keys.example/j"})",
          R"({"issuer":["https://a.example"],"jwks_uri":"https://keys.example/j"})",
          R"({"issuer":"https://a.example"})", R"({"issuer":"https://a.example","jwks_uri":1})",
          R"({"issuer":"https://a.example","jwks_uri":"http://keys.example/j"})",
          R"({"issuer":"https://a.example","jwks_uri":"http://127.0.0.1:9200/_search"})",
          R"({"issuer":"https://a.example","jwks_uri":"http://localhost/admin"})",
          R"({"issuer":"https://a.example","jwks_uri":"file:///etc/keys"})"})
        EXPECT_EQ(uri(document), "") << document;
}

class ScheduleOfKeys : public ::testing::Test {
protected:
    bool is_due(seconds after, long long unknown = 0) const {
        return schedule.is_due(start + after, unknown);
    }

    Schedule schedule{seconds(300), seconds(30)};
    const Clock::time_point start{seconds(1'000'000)};
};

TEST_F(ScheduleOfKeys, fetches_at_once_and_then_every_refresh) {
    EXPECT_TRUE(is_due(seconds(0)));
    schedule.begin(start, 0);
    schedule.succeed(start, std::nullopt, 0.0);
    EXPECT_FALSE(is_due(seconds(299)));
    EXPECT_TRUE(is_due(seconds(300)));
    schedule.succeed(start, std::nullopt, 1.0); // a fifth earlier at most
    EXPECT_FALSE(is_due(seconds(239)));
    EXPECT_TRUE(is_due(seconds(240)));
}

TEST_F(ScheduleOfKeys, obeys_max_age_between_cooldown_and_refresh) {
    schedule.begin(start, 0);
    schedule.succeed(start, seconds(60), 0.0);
    EXPECT_FALSE(is_due(seconds(59)));
    EXPECT_TRUE(is_due(seconds(60)));
    schedule.succeed(start, seconds(0), 0.0);
    EXPECT_FALSE(is_due(seconds(29)));
    schedule.succeed(start, seconds(86400), 0.0);
    EXPECT_TRUE(is_due(seconds(300)));
}

TEST_F(ScheduleOfKeys, unknown_kids_buy_one_fetch_per_cooldown) {
    schedule.begin(start, 5);
    schedule.succeed(start, std::nullopt, 0.0);
    EXPECT_FALSE(is_due(seconds(29), 1'000'000)) << "a flood, within the cooldown";
    EXPECT_TRUE(is_due(seconds(30), 6));
    EXPECT_FALSE(is_due(seconds(30), 5)) << "nothing new since the last fetch";
    schedule.begin(start + seconds(30), 6);
    schedule.succeed(start + seconds(30), std::nullopt, 0.0);
    EXPECT_FALSE(is_due(seconds(59), 2'000'000));
    EXPECT_TRUE(is_due(seconds(60), 0)) << "the count began anew with the server";
}

TEST_F(ScheduleOfKeys, waits_longer_after_each_failure) {
    schedule.begin(start, 0);
    for (const int wait : {30, 60, 120, 240, 300, 300}) {
        schedule.fail(start, 0.0);
        EXPECT_FALSE(is_due(seconds(wait - 1))) << wait;
        EXPECT_TRUE(is_due(seconds(wait))) << wait;
    }
    schedule.succeed(start, std::nullopt, 0.0);
    schedule.fail(start, 0.0);
    EXPECT_TRUE(is_due(seconds(30)));
}

TEST(MaxAge, is_read_from_cache_control) {
    EXPECT_EQ(max_age_of("public, max-age=60"), seconds(60));
    EXPECT_EQ(max_age_of("max-age=0"), seconds(0));
    EXPECT_EQ(max_age_of("s-maxage=5,max-age=7"), seconds(7));
    for (const char *none :
         {"", "no-store", "x-max-age=5", "max-age=", "max-age=-1", "max-age=99999999999"})
        EXPECT_FALSE(max_age_of(none)) << none;
}

TEST(SyncMetrics, counts_by_issuer_and_result) {
    SyncMetrics metrics;
    metrics.set_active(true);
    metrics.count("https://a.example/\"x", RefreshResult::loaded);
    metrics.count("https://a.example/\"x", RefreshResult::failed);
    const std::string text = metrics.text();
    for (const char *line :
         {"tenancyd_key_sync_active 1\n",
          "tenancyd_key_refreshes_total{issuer=\"https://a.example/\\\"x\",result=\"loaded\"} 1\n",
          "tenancyd_key_refreshes_total{issuer=\"https://a.example/\\\"x\",result=\"refused\"} "
          "0\n"})
        EXPECT_NE(text.find(line), std::string::npos) << line;
}

} // namespace
} // namespace tenancy::server::keys
