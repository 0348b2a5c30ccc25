// Threads that are kept for their next piece of work. There are as many as there was work at once.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tenancy::server {

class ThreadCache {
public:
    ThreadCache() = default;
    /// Waits for all work to end.
    ~ThreadCache();
    ThreadCache(const ThreadCache &) = delete;
    ThreadCache &operator=(const ThreadCache &) = delete;

    /// Does the work on a thread that idles, or on a new one: never after other work. What is
    /// thrown inside ends the process; std::system_error when no thread can be made.
    void run(std::function<void()> work);

private:
    void serve();

    std::mutex mutex_;
    std::condition_variable came_;
    std::deque<std::function<void()>> waiting_;
    std::size_t idle_ = 0; // woken ones included, until they have taken their work
    bool is_ending_ = false;
    std::vector<std::thread> threads_;
};

} // namespace tenancy::server
