// An end for a whole transfer of the HTTP library's client, whose own time-outs are for single
// steps: a server that sends a byte now and then would hold us for ever.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace tenancy::server {

/// Stops the client's transfer when its time is over, or soon after `is_stopping` becomes true.
/// Ends before the client does.
template <class Client>
class HttpDeadline {
public:
    HttpDeadline(Client &client, std::chrono::milliseconds time,
                 const std::atomic<bool> *is_stopping = nullptr)
        : client_(client), end_(Clock::now() + time), is_stopping_(is_stopping),
          thread_([this] { watch(); }) {}

    ~HttpDeadline() { finish(); }
    HttpDeadline(const HttpDeadline &) = delete;
    HttpDeadline &operator=(const HttpDeadline &) = delete;
    HttpDeadline(HttpDeadline &&) = delete;
    HttpDeadline &operator=(HttpDeadline &&) = delete;

    /// To be called when the transfer is over. True when it was stopped.
    bool finish() {
        {
            const std::lock_guard lock(mutex_);
            is_over_ = true;
        }
        changed_.notify_all();
        if (thread_.joinable())
            thread_.join();
        return was_stopped_;
    }

private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds kGlance{50}; // at is_stopping

    bool is_due() const {
        return Clock::now() >= end_ || (is_stopping_ != nullptr && *is_stopping_);
    }

    void watch() {
        std::unique_lock lock(mutex_);
        while (!is_over_) { // what takes no longer than a glance is done even while all stops
            changed_.wait_until(
                lock, is_stopping_ == nullptr ? end_ : std::min(end_, Clock::now() + kGlance));
            if (is_due())
                break;
        }
        was_stopped_ = !is_over_;
        // stop() has no effect before the connection is up, hence again and again.
        while (!is_over_) {
            client_.stop();
            changed_.wait_for(lock, std::chrono::milliseconds(20));
        }
    }

    Client &client_;
    const Clock::time_point end_;
    const std::atomic<bool> *const is_stopping_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool is_over_ = false;
    bool was_stopped_ = false;
    std::thread thread_; // last: it uses all of the above
};

} // namespace tenancy::server
