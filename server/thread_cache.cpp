#include "thread_cache.hpp"

#include <utility>

namespace tenancy::server {

ThreadCache::~ThreadCache() {
    {
        const std::lock_guard lock(mutex_);
        is_ending_ = true;
    }
    came_.notify_all();
    for (std::thread &thread : threads_)
        thread.join();
}

void ThreadCache::run(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= idle_)
        threads_.emplace_back(
            [this] { serve(); }); // before the work, which stays undone if it throws
    waiting_.push_back(std::move(work));
    came_.notify_one();
}

void ThreadCache::serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
        ++idle_;
        came_.wait(lock, [&] { return !waiting_.empty() || is_ending_; });
        --idle_;
        if (waiting_.empty())
            return;
        const std::function<void()> work = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        work();
        lock.lock();
    }
}

} // namespace tenancy::server
