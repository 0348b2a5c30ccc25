#include "metrics.hpp"

#include <nlohmann/json.hpp>

#include "metrics_text.hpp"

namespace tenancy::server {

namespace {

std::string number(double value) {
    return nlohmann::json(value).dump();
}

void print_line(std::string &out, std::string_view name, std::string_view labels,
                std::string_view value) {
    out += name;
    if (!labels.empty())
        out.append("{").append(labels).append("}");
    out.append(" ").append(value).append("\n");
}

void print_head(std::string &out, std::string_view name, std::string_view type,
                std::string_view help) {
    out.append("# HELP ").append(name).append(" ").append(help).append("\n");
    out.append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

void print_counter(std::string &out, std::string_view name, std::string_view help,
                   unsigned long long value) {
    print_head(out, name, "counter", help);
    print_line(out, name, "", std::to_string(value));
}

std::string joined(std::string_view labels, const std::string &more) {
    return labels.empty() ? more : std::string(labels) + "," + more;
}

} // namespace

void Histogram::observe(double seconds) {
    std::size_t bucket = 0;
    while (bucket < kBuckets.size() && seconds > kBuckets.at(bucket))
        ++bucket;
    ++counts_.at(bucket);
    sum_ += seconds;
}

void Histogram::print(std::string &out, std::string_view name, std::string_view labels) const {
    const std::string base(name);
    unsigned long long total = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        total += counts_.at(i);
        const std::string bound = i < kBuckets.size() ? number(kBuckets.at(i)) : "+Inf";
        print_line(out, base + "_bucket", joined(labels, metrics_label("le", bound)),
                   std::to_string(total));
    }
    print_line(out, base + "_sum", labels, number(sum_));
    print_line(out, base + "_count", labels, std::to_string(total));
}

void Metrics::count_request(std::string_view method, std::string_view route, int status,
                            double seconds) {
    const std::lock_guard lock(mutex_);
    ++requests_[{method, route, status}];
    durations_[route].observe(seconds);
}

void Metrics::count_refusal(std::string_view code) {
    const std::lock_guard lock(mutex_);
    ++refusals_[std::string(code)];
}

void Metrics::count_valkey_decision(std::string_view result) {
    const std::lock_guard lock(mutex_);
    ++valkey_decisions_[result];
}

void Metrics::count_turn(const TurnMeasure &turn) {
    const std::lock_guard lock(mutex_);
    ++turns_[{turn.status, turn.stream}];
    turn_seconds_.observe(turn.seconds);
    model_seconds_.observe(turn.model_seconds);
    prompt_tokens_ += static_cast<unsigned long long>(turn.prompt_tokens);
    completion_tokens_ += static_cast<unsigned long long>(turn.completion_tokens);
    cut_ += turn.cut ? 1U : 0U;
}

void Metrics::count_settlement(const Settlement &settlement) {
    const std::lock_guard lock(mutex_);
    charged_picodollars_ += settlement.picodollars;
    overruns_ += settlement.overrun ? 1U : 0U;
    late_ += settlement.late ? 1U : 0U;
}

void Metrics::count_rejection(std::string_view kind) {
    const std::lock_guard lock(mutex_);
    ++rejections_[kind];
}

void Metrics::add_gauge(std::string name, std::function<std::size_t()> read) {
    gauges_.emplace(std::move(name), std::move(read));
}

// The reference's metric names, so that its dashboards keep working.
void Metrics::print_turns(std::string &out) const {
    const std::string model = metrics_label("model", model_);
    print_head(out, "agent_requests_total", "counter", "Chat turns by outcome.");
    for (const auto &[key, count] : turns_)
        print_line(out, "agent_requests_total",
                   model + "," + metrics_label("status", key.first) + "," +
                       metrics_label("stream", key.second ? "true" : "false"),
                   std::to_string(count));
    print_head(out, "agent_request_duration_seconds", "histogram", "Time of whole chat turns.");
    turn_seconds_.print(out, "agent_request_duration_seconds", model);
    print_head(out, "agent_model_call_duration_seconds", "histogram", "Time the model took.");
    model_seconds_.print(out, "agent_model_call_duration_seconds", model);
    print_head(out, "agent_tokens_total", "counter", "Tokens by direction.");
    print_line(out, "agent_tokens_total", model + "," + metrics_label("direction", "prompt"),
               std::to_string(prompt_tokens_));
    print_line(out, "agent_tokens_total", model + "," + metrics_label("direction", "completion"),
               std::to_string(completion_tokens_));
}

void Metrics::print_limits(std::string &out) const {
    print_head(out, "tenancyd_rejections_total", "counter",
               "Requests refused by a tenant's limits.");
    for (const auto &[kind, count] : rejections_)
        print_line(out, "tenancyd_rejections_total", metrics_label("kind", kind),
                   std::to_string(count));
    print_counter(out, "tenancyd_charged_picodollars_total",
                  "Charges of this server's turns, 1e-12 USD.", charged_picodollars_);
    print_counter(out, "tenancyd_overrun_turns_total", "Turns charged more than they held.",
                  overruns_);
    print_counter(out, "tenancyd_late_turns_total", "Turns charged after their hold had ended.",
                  late_);
    print_counter(out, "tenancyd_cut_turns_total", "Turns stopped when what they held was used up.",
                  cut_);
}

std::string Metrics::text() const {
    std::string out;
    {
        const std::lock_guard lock(mutex_);
        print_head(out, "tenancyd_requests_total", "counter", "HTTP requests answered.");
        for (const auto &[key, count] : requests_)
            print_line(out, "tenancyd_requests_total",
                       metrics_label("method", std::get<0>(key)) + "," +
                           metrics_label("route", std::get<1>(key)) + "," +
                           metrics_label("status", std::to_string(std::get<2>(key))),
                       std::to_string(count));
        print_head(out, "tenancyd_request_duration_seconds", "histogram", "Time to the last byte.");
        for (const auto &[route, histogram] : durations_)
            histogram.print(out, "tenancyd_request_duration_seconds",
                            metrics_label("route", route));
        print_head(out, "tenancyd_refusals_total", "counter", "Requests refused by this server.");
        for (const auto &[code, count] : refusals_)
            print_line(out, "tenancyd_refusals_total", metrics_label("code", code),
                       std::to_string(count));
        print_head(out, "tenancyd_valkey_decisions_total", "counter",
                   "Decisions of the shared rate limit; unavailable: the database alone decided.");
        for (const auto &[result, count] : valkey_decisions_)
            print_line(out, "tenancyd_valkey_decisions_total", metrics_label("result", result),
                       std::to_string(count));
        print_turns(out);
        print_limits(out);
    }
    print_counter(out, "tenancyd_alerts_delivered_total", "Alerts that the webhook took.",
                  alerts_delivered_);
    print_counter(out, "tenancyd_alert_failures_total", "Deliveries of alerts that failed.",
                  alert_failures_);
    print_counter(out, "tenancyd_spans_sent_total", "Spans that the OTLP receiver took.",
                  spans_sent_);
    print_counter(out, "tenancyd_spans_dropped_total",
                  "Spans that were not sent: the queue was full or the receiver failed.",
                  spans_dropped_);
    print_counter(out, "tenancyd_unrecorded_turns_total", "Turns end_turn did not take.",
                  unrecorded_turns_);
    print_counter(out, "tenancyd_shed_connections_total", "Connections refused when full.",
                  shed_connections_);
    for (const auto &[name, read] : gauges_) {
        print_head(out, name, "gauge", "Read at scrape time.");
        print_line(out, name, "", std::to_string(read()));
    }
    return out;
}

} // namespace tenancy::server
