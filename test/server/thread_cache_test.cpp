// Threads that are kept: each piece of work has one at once, and the next one finds it idle.
#include "thread_cache.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>

#include <gtest/gtest.h>

namespace {

using tenancy::server::ThreadCache;

// Work that waits until so many pieces are at work.
class Meeting {
public:
    explicit Meeting(int expected) : expected_(expected) {}
    void join() {
        std::unique_lock lock(mutex_);
        threads_.insert(std::this_thread::get_id());
        ++come_;
        changed_.notify_all();
        changed_.wait(lock, [&] { return come_ >= expected_; });
    }
    std::set<std::thread::id> threads() {
        const std::lock_guard lock(mutex_);
        return threads_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::set<std::thread::id> threads_;
    const int expected_;
    int come_ = 0;
};

TEST(ThreadCache, NoWorkWaitsForOtherWork) {
    Meeting meeting(20);
    {
        ThreadCache cache;
        for (int i = 0; i < 20; ++i)
            cache.run([&] { meeting.join(); });
    }
    EXPECT_EQ(meeting.threads().size(), 20U);
}

TEST(ThreadCache, ThreadsAreKept) {
    Meeting alone(1);
    std::atomic<int> done{0};
    ThreadCache cache;
    for (int i = 0; i < 50; ++i) {
        cache.run([&] {
            alone.join();
            ++done;
        });
        while (done <= i)
            std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::milliseconds(2)); // until it idles again
    }
    EXPECT_LT(alone.threads().size(), 10U);
}

TEST(ThreadCache, EndsOnlyWhenAllWorkIsDone) {
    std::atomic<int> done{0};
    {
        ThreadCache cache;
        for (int i = 0; i < 100; ++i)
            cache.run([&] { ++done; });
    }
    EXPECT_EQ(done, 100);
}

} // namespace
