// Sends spans to an OTLP receiver on a thread of its own. A request never waits for it: what does
// not fit into the queue, and what the receiver does not take, is dropped and counted.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "config.hpp"
#include "http_post.hpp"
#include "metrics.hpp"
#include "otlp.hpp"

namespace tenancy::server {

class SpanExporter {
public:
    /// `instance_id` may be empty.
    SpanExporter(const TracesConfig &config, const std::string &instance_id, Metrics &metrics);
    /// Tries for two seconds at most to send what is queued.
    ~SpanExporter();
    SpanExporter(const SpanExporter &) = delete;
    SpanExporter &operator=(const SpanExporter &) = delete;
    SpanExporter(SpanExporter &&) = delete;
    SpanExporter &operator=(SpanExporter &&) = delete;

    /// Never waits. Safe from any thread.
    void add(Span span) noexcept;

private:
    void work() noexcept;
    std::vector<Span> next_batch();
    bool send(const HttpPost &post, const std::vector<Span> &batch,
              const std::atomic<bool> &must_end);

    const TracesConfig config_;
    const Resource resource_;
    Metrics &metrics_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Span> queue_;
    std::atomic<bool> is_stopping_{false};
    std::thread thread_; // last: it uses all of the above
};

} // namespace tenancy::server
