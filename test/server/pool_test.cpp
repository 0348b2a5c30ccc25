#include "db/pool.hpp"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "llm/channel.hpp"

namespace tenancy::server::db {

namespace {

using std::chrono::milliseconds;

// What the pool needs of an item, and counters to look at.
struct Item {
    static inline std::atomic<int> alive{0};
    static inline std::atomic<int> most_alive{0};
    static inline std::atomic<int> made{0};
    const int number = ++made;
    bool usable = true;
    bool recyclable = true;

    Item() {
        const int now = ++alive;
        int seen = most_alive;
        while (now > seen && !most_alive.compare_exchange_weak(seen, now)) {
        }
    }
    ~Item() { --alive; }
    Item(const Item &) = delete;
    Item &operator=(const Item &) = delete;
    bool is_usable() const { return usable; }
    bool recycle() const { return recyclable; }
};

std::unique_ptr<Item> make() {
    return std::make_unique<Item>();
}

} // namespace

TEST(Pool, hands_the_same_item_out_again) {
    Pool<Item> pool(2, make);
    const int first = pool.acquire(milliseconds(0))->number;
    EXPECT_EQ(first, pool.acquire(milliseconds(0))->number);
}

TEST(Pool, gives_nothing_when_all_are_out_and_time_is_up) {
    Pool<Item> pool(1, make);
    const auto lease = pool.acquire(milliseconds(0));
    const auto start = std::chrono::steady_clock::now();
    EXPECT_FALSE(pool.acquire(milliseconds(30)));
    EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(30));
    EXPECT_EQ(pool.in_use(), 1U);
}

TEST(Pool, a_waiting_caller_gets_what_comes_back) {
    Pool<Item> pool(1, make);
    auto lease = std::make_unique<Pool<Item>::Lease>(pool.acquire(milliseconds(0)));
    std::thread giver([&] {
        std::this_thread::sleep_for(milliseconds(20));
        lease.reset();
    });
    EXPECT_TRUE(pool.acquire(milliseconds(2000)));
    giver.join();
}

TEST(Pool, who_gives_back_and_asks_again_comes_after_who_waits) {
    Pool<Item> pool(1, make);
    auto lease = std::make_unique<Pool<Item>::Lease>(pool.acquire(milliseconds(0)));
    std::atomic<bool> done{false};
    std::thread other([&] {
        const auto mine = pool.acquire(milliseconds(5000));
        EXPECT_TRUE(mine);
        while (!done)
            std::this_thread::sleep_for(milliseconds(1));
    });
    while (pool.waiting() == 0)
        std::this_thread::sleep_for(milliseconds(1));
    lease.reset();
    EXPECT_FALSE(pool.acquire(milliseconds(0)));
    done = true;
    other.join();
    EXPECT_TRUE(pool.acquire(milliseconds(0)));
}

TEST(Pool, a_waiting_caller_makes_one_in_the_place_of_one_that_cannot_be_recycled) {
    Pool<Item> pool(1, make);
    auto lease = std::make_unique<Pool<Item>::Lease>(pool.acquire(milliseconds(0)));
    const int first = (*lease)->number;
    std::thread other([&] {
        const auto mine = pool.acquire(milliseconds(5000));
        ASSERT_TRUE(mine);
        EXPECT_NE(mine->number, first);
    });
    while (pool.waiting() == 0)
        std::this_thread::sleep_for(milliseconds(1));
    (*lease)->recyclable = false;
    lease.reset();
    other.join();
    EXPECT_EQ(pool.in_use(), 0U);
    EXPECT_EQ(Item::alive, 1);
}

TEST(Pool, replaces_an_idle_item_that_has_died) {
    Pool<Item> pool(1, make);
    int dead = 0;
    {
        const auto lease = pool.acquire(milliseconds(0));
        lease->usable = false;
        dead = lease->number;
    }
    const auto lease = pool.acquire(milliseconds(0));
    ASSERT_TRUE(lease);
    EXPECT_TRUE(lease->usable);
    EXPECT_NE(dead, lease->number);
    EXPECT_EQ(Item::alive, 1);
}

TEST(Pool, drops_an_item_that_cannot_be_recycled) {
    Pool<Item> pool(1, make);
    {
        const auto lease = pool.acquire(milliseconds(0));
        lease->recyclable = false;
    }
    EXPECT_EQ(Item::alive, 0);
    EXPECT_EQ(pool.in_use(), 0U);
    EXPECT_TRUE(pool.acquire(milliseconds(0)));
}

TEST(Pool, a_failure_to_make_one_frees_its_place) {
    int calls = 0;
    // The analyzer loses the item between the ternary's branches.
    // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDeleteLeaks)
    Pool<Item> pool(1, [&] { return ++calls == 1 ? std::unique_ptr<Item>() : make(); });
    EXPECT_FALSE(pool.acquire(milliseconds(0)));
    EXPECT_TRUE(pool.acquire(milliseconds(0)));
    EXPECT_EQ(calls, 2);
}

TEST(Pool, an_exception_while_making_one_frees_its_place) {
    bool fails = true;
    Pool<Item> pool(1, [&] {
        if (fails)
            throw std::bad_alloc();
        return make();
    });
    EXPECT_THROW((void)pool.acquire(milliseconds(0)), std::bad_alloc);
    fails = false;
    EXPECT_TRUE(pool.acquire(milliseconds(0)));
}

TEST(Pool, a_cold_start_with_many_callers_makes_no_more_than_its_size) {
    Item::most_alive = 0;
    Pool<Item> pool(3, [] {
        std::this_thread::sleep_for(milliseconds(2));
        return make();
    });
    std::atomic<int> served{0};
    std::vector<std::thread> callers;
    callers.reserve(24);
    for (int i = 0; i < 24; ++i)
        callers.emplace_back([&] {
            for (int n = 0; n < 10; ++n) {
                const auto lease = pool.acquire(milliseconds(5000));
                if (lease)
                    ++served;
                if (n == 5 && lease)
                    lease->recyclable = false;
            }
        });
    for (std::thread &caller : callers)
        caller.join();
    EXPECT_EQ(served, 240);
    EXPECT_LE(Item::most_alive, 3);
    EXPECT_EQ(pool.in_use(), 0U);
}

} // namespace tenancy::server::db

namespace tenancy::server::llm {

TEST(Channel, brings_items_over_in_order) {
    Channel<int> channel(2);
    std::thread writer([&] {
        for (int i = 0; i < 100; ++i)
            EXPECT_TRUE(channel.push({i}));
    });
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(channel.pop(std::chrono::milliseconds(2000)), i);
    writer.join();
    EXPECT_EQ(channel.pop(std::chrono::milliseconds(1)), std::nullopt);
}

TEST(Channel, takes_a_whole_piece_when_there_is_room_for_one) {
    Channel<int> channel(2);
    EXPECT_TRUE(channel.push({1}));
    EXPECT_TRUE(channel.push({2, 3, 4}));
    for (int i = 1; i <= 4; ++i)
        EXPECT_EQ(channel.pop(std::chrono::milliseconds(0)), i);
}

TEST(Channel, closing_releases_a_blocked_writer) {
    Channel<int> channel(1);
    EXPECT_TRUE(channel.push({1}));
    std::thread writer([&] { EXPECT_FALSE(channel.push({2})); });
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    channel.close();
    writer.join();
    EXPECT_TRUE(channel.is_closed());
}

} // namespace tenancy::server::llm
