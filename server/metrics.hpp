// Counters in Prometheus text format. Every label value comes from this server's own tables or its
// configuration, never from a client: the number of series is bounded.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>

namespace tenancy::server {

/// Bounds in seconds, as prometheus_client's default.
inline constexpr std::array kBuckets = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
                                        0.5,   0.75, 1.0,   2.5,  5.0,   7.5, 10.0};

class Histogram {
public:
    void observe(double seconds);
    /// Appends the _bucket, _sum and _count lines; `labels` is `a="b"` text or empty.
    void print(std::string &out, std::string_view name, std::string_view labels) const;

private:
    std::array<unsigned long long, kBuckets.size() + 1> counts_{};
    double sum_ = 0;
};

/// One finished chat turn, as end_turn was told.
struct TurnMeasure {
    std::string_view status; // ok, error or aborted: static text
    bool stream = false;
    double seconds = 0;
    double model_seconds = 0;
    long long prompt_tokens = 0;
    long long completion_tokens = 0;
    bool cut = false; // stopped by the database in mid-stream
};

/// What the database says a turn was charged.
struct Settlement {
    unsigned long long picodollars = 0;
    bool overrun = false; // more than it held
    bool late = false;    // after its hold had been resolved otherwise
};

class Metrics {
public:
    /// `model` is the configured model's name, the only value of the label.
    explicit Metrics(std::string model) : model_(std::move(model)) {}

    void count_request(std::string_view method, std::string_view route, int status, double seconds);
    void count_refusal(std::string_view code);
    void count_turn(const TurnMeasure &turn);
    void count_settlement(const Settlement &settlement);
    /// A request that a limit of the tenant refused; `kind` is static text.
    void count_rejection(std::string_view kind);
    void count_alert(bool delivered) { ++(delivered ? alerts_delivered_ : alert_failures_); }
    /// `result` is static text: allowed, refused or unavailable.
    void count_valkey_decision(std::string_view result);
    void count_spans(std::size_t sent, std::size_t dropped) {
        spans_sent_ += sent;
        spans_dropped_ += dropped;
    }
    void count_unrecorded_turn() { ++unrecorded_turns_; }
    void count_shed_connection() { ++shed_connections_; }

    /// A value read at scrape time, such as the connections in use. Register before serving.
    void add_gauge(std::string name, std::function<std::size_t()> read);

    /// The whole exposition, version 0.0.4.
    std::string text() const;

private:
    using RequestKey = std::tuple<std::string_view, std::string_view, int>;
    void print_turns(std::string &out) const;
    void print_limits(std::string &out) const;

    const std::string model_;
    mutable std::mutex mutex_;
    std::map<RequestKey, unsigned long long> requests_;
    std::map<std::string_view, Histogram> durations_; // by route
    std::map<std::string, unsigned long long> refusals_;
    std::map<std::string_view, unsigned long long> valkey_decisions_;
    std::map<std::pair<std::string_view, bool>, unsigned long long> turns_;
    std::map<std::string_view, unsigned long long> rejections_;
    unsigned long long charged_picodollars_ = 0;
    unsigned long long overruns_ = 0;
    unsigned long long late_ = 0;
    unsigned long long cut_ = 0;
    Histogram turn_seconds_;
    Histogram model_seconds_;
    unsigned long long prompt_tokens_ = 0;
    unsigned long long completion_tokens_ = 0;
    std::atomic<unsigned long long> alerts_delivered_{0};
    std::atomic<unsigned long long> alert_failures_{0};
    std::atomic<unsigned long long> spans_sent_{0};
    std::atomic<unsigned long long> spans_dropped_{0};
    std::atomic<unsigned long long> unrecorded_turns_{0};
    std::atomic<unsigned long long> shed_connections_{0};
    std::map<std::string, std::function<std::size_t()>> gauges_;
};

} // namespace tenancy::server
