#include "span_exporter.hpp"

#include <algorithm>

#include "log.hpp"

namespace tenancy::server {

namespace {

// As the batch processor of OpenTelemetry's own libraries has it.
constexpr std::size_t kMaxQueued = 2048;
constexpr std::size_t kMaxBatch = 512;
constexpr std::chrono::seconds kDelay{1};
constexpr std::chrono::milliseconds kLastPatience{2000};

} // namespace

SpanExporter::SpanExporter(const TracesConfig &config, const std::string &instance_id,
                           Metrics &metrics)
    : config_(config), resource_{{"service.name", config.service_name},
                                 {"service.instance.id", instance_id},
                                 {"telemetry.sdk.name", "tenancyd"},
                                 {"telemetry.sdk.language", "cpp"}},
      metrics_(metrics), thread_([this] { work(); }) {}

SpanExporter::~SpanExporter() {
    {
        const std::lock_guard lock(mutex_);
        is_stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void SpanExporter::add(Span span) noexcept {
    try {
        const std::lock_guard lock(mutex_);
        if (queue_.size() < kMaxQueued) {
            queue_.push_back(std::move(span));
            if (queue_.size() == kMaxBatch)
                changed_.notify_all();
            return;
        }
    } catch (...) { // out of memory: the span is lost, not the request
    }
    metrics_.count_spans(0, 1);
}

// Waits for a batch to be full, or for a moment; may be empty.
std::vector<Span> SpanExporter::next_batch() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kDelay, [this] { return is_stopping_ || queue_.size() >= kMaxBatch; });
    const auto end =
        queue_.begin() + static_cast<std::ptrdiff_t>(std::min(queue_.size(), kMaxBatch));
    std::vector<Span> batch(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
    queue_.erase(queue_.begin(), end);
    return batch;
}

bool SpanExporter::send(const HttpPost &post, const std::vector<Span> &batch,
                        const std::atomic<bool> &must_end) {
    std::map<std::string, std::string> headers;
    if (!config_.otel_token.empty())
        headers["Authorization"] = "Bearer " + config_.otel_token.reveal();
    const auto result = post.post(otlp_body(resource_, batch), headers, must_end);
    metrics_.count_spans(result.is_delivered() ? batch.size() : 0,
                         result.is_delivered() ? 0 : batch.size());
    if (!result.is_delivered())
        log_event(LogLevel::warn, "spans_dropped",
                  {log_text("reason", result.reason),
                   log_number("status", static_cast<long long>(result.status)),
                   log_number("spans", static_cast<long long>(batch.size()))});
    return result.is_delivered();
}

void SpanExporter::work() noexcept {
    try {
        const std::string url = config_.otel_endpoint + "/v1/traces";
        const HttpPost post(url, config_.ca_file, config_.timeout);
        while (!is_stopping_)
            if (const std::vector<Span> batch = next_batch(); !batch.empty())
                send(post, batch, is_stopping_);
        const std::atomic<bool> never{false};
        const HttpPost last(url, config_.ca_file,
                            std::min<std::chrono::milliseconds>(config_.timeout, kLastPatience));
        for (std::vector<Span> batch = next_batch(); !batch.empty(); batch = next_batch())
            if (!send(last, batch, never))
                return;
    } catch (const std::exception &) {
        log_event(LogLevel::error, "spans_stopped", {{"reason", R"("unexpected exception")"}});
    }
}

} // namespace tenancy::server
