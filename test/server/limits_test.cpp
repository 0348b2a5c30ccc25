// What tenancyd says of budgets: metrics, kinds of rejections, and the webhook's settings and
// signature.
#include <gtest/gtest.h>

#include "config.hpp"
#include "handlers.hpp"
#include "http_webhook.hpp"
#include "metrics.hpp"

namespace tenancy::server {

namespace {

std::string errors_of(const std::string &alerts, bool with_maintenance = true) {
    std::string text = "model: {provider: echo}\nserver:\n  storage: {database_url: x";
    text += with_maintenance ? ", maintenance_url: x}\n" : "}\n";
    text += "  alerts: " + alerts + "\n";
    std::string joined;
    for (const std::string &error : load_config_text(text, "a.yaml").errors)
        joined += error + "\n";
    return joined;
}

std::string with_secret(const std::string &url) {
    return "{webhook_url: \"" + url + "\", webhook_secret_env: PATH}";
}

bool has(const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST(AlertsConfig, takes_https_and_loopback_only) {
    for (const char *url : {"https://alerts.example.com/hook", "https://alerts.example.com:8443",
                            "http://127.0.0.1:9/x", "http://localhost/"})
        EXPECT_EQ(errors_of(with_secret(url)), "") << url;
    for (const char *url : {"http://alerts.example.com/", "http://127.0.0.1.example.com/",
                            "http://localhost@example.com/", "https://user:word@example.com/",
                            "ftp://localhost/", "https://", "https:///x", "example.com"})
        EXPECT_TRUE(has(errors_of(with_secret(url)), "server.alerts.webhook_url: must be")) << url;
}

TEST(AlertsConfig, needs_a_secret_and_the_maintenance_role) {
    EXPECT_EQ(errors_of("{}"), "");
    EXPECT_TRUE(
        has(errors_of("{webhook_url: https://example.com/}"), "webhook_secret_env: is missing"));
    EXPECT_TRUE(has(errors_of(with_secret("https://example.com/"), false), "maintenance_url"));
    EXPECT_TRUE(has(errors_of("{timeout_seconds: 0}"), "timeout_seconds"));
    EXPECT_TRUE(has(errors_of("{webhook: x}"), "webhook"));
}

// RFC 4231, test cases 1 and 2.
TEST(Webhook, signs_the_body_with_hmac_sha256) {
    EXPECT_EQ(body_signature(Secret(std::string(20, '\x0b')), "Hi There"),
              "sha256=b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(body_signature(Secret("Jefe"), "what do ya want for nothing?"),
              "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Rejections, have_a_kind_of_a_fixed_list_or_none) {
    const auto kind = [](const std::string &code, const std::string &type) {
        return rejection_kind(R"({"error": {"code": ")" + code + R"(", "type": ")" + type + "\"}}");
    };
    EXPECT_EQ(kind("rate_limit_exceeded", "requests"), "requests");
    EXPECT_EQ(kind("rate_limit_exceeded", "tokens"), "tokens");
    EXPECT_EQ(kind("rate_limit_exceeded", "evil"), "");
    EXPECT_EQ(kind("concurrency_limit_exceeded", "any"), "concurrency");
    EXPECT_EQ(kind("insufficient_quota", "budget_exceeded"), "budget");
    EXPECT_EQ(kind("budget_held", "budget_held"), "held");
    EXPECT_EQ(kind("model_not_priced", "permission_error"), "unpriced");
    EXPECT_EQ(kind("not_found", "invalid_request_error"), "");
    for (const char *body :
         {"", "null", "[]", "{", R"({"error": "x"})", R"({"error": {"code": 1}})"})
        EXPECT_EQ(rejection_kind(body), "") << body;
}

TEST(Metrics, of_limits_start_at_nothing_and_add_up) {
    Metrics metrics("a\"model\\\n");
    EXPECT_TRUE(has(metrics.text(), "\ntenancyd_charged_picodollars_total 0\n"));
    metrics.count_settlement({9223372036854775807ULL, true, false});
    metrics.count_settlement({1, false, true});
    metrics.count_rejection("held");
    metrics.count_rejection("held");
    metrics.count_alert(true);
    metrics.count_alert(false);
    metrics.count_turn({"ok", true, 1, 1, 1, 1, true});
    const std::string text = metrics.text();
    for (const char *line :
         {"tenancyd_charged_picodollars_total 9223372036854775808",
          "tenancyd_overrun_turns_total 1", "tenancyd_late_turns_total 1",
          "tenancyd_cut_turns_total 1", R"(tenancyd_rejections_total{kind="held"} 2)",
          "tenancyd_alerts_delivered_total 1", "tenancyd_alert_failures_total 1"})
        EXPECT_TRUE(has(text, "\n" + std::string(line) + "\n")) << line;
    EXPECT_TRUE(has(text, R"(model="a\"model\\\n")"));
}

} // namespace tenancy::server
