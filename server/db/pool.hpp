// A bounded pool with a deadline. It knows nothing of databases: T has to offer is_usable() (asked
// before an idle item is handed out) and recycle() (asked when it comes back).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace tenancy::server::db {

template <typename T>
class Pool {
public:
    /// Makes an item or gives null. Called outside the lock, by as many threads as there is room
    /// for.
    using Make = std::function<std::unique_ptr<T>()>;

    /// An item on loan; gives it back when it goes out of scope. Empty when there was none.
    class Lease {
    public:
        Lease() = default;
        Lease(Pool &pool, std::unique_ptr<T> item) : pool_(&pool), item_(std::move(item)) {}
        Lease(Lease &&other) noexcept
            : pool_(std::exchange(other.pool_, nullptr)), item_(std::move(other.item_)) {}
        Lease &operator=(Lease &&) = delete;
        Lease(const Lease &) = delete;
        Lease &operator=(const Lease &) = delete;
        ~Lease() {
            if (item_)
                pool_->give_back(std::move(item_));
        }
        explicit operator bool() const { return item_ != nullptr; }
        T *operator->() const { return item_.get(); }
        T &operator*() const { return *item_; }

    private:
        Pool *pool_ = nullptr;
        std::unique_ptr<T> item_;
    };

    Pool(std::size_t size, Make make) : size_(size), make_(std::move(make)) {}

    /// An item, made if none is idle and there is room. Empty when none came free in time or making
    /// one failed. Who waits longest is served first. A place is taken before the item is made, so
    /// that a cold start with many callers never makes more than `size`.
    Lease acquire(std::chrono::milliseconds patience) {
        std::unique_lock lock(mutex_);
        std::unique_ptr<T> item;
        if (!idle_.empty()) {
            item = std::move(idle_.back());
            idle_.pop_back();
        } else if (places_taken_ < size_) {
            ++places_taken_;
        } else {
            const auto self = std::make_shared<Waiter>();
            waiting_.push_back(self);
            if (!self->served.wait_for(lock, patience, [&] { return self->has_place; })) {
                waiting_.remove(self);
                return {};
            }
            item = std::move(self->item);
        }
        lock.unlock();
        if (item && item->is_usable())
            return Lease(*this, std::move(item));
        item.reset();
        return make_in_taken_place();
    }

    /// Items on loan or being made.
    std::size_t in_use() const {
        const std::lock_guard lock(mutex_);
        return places_taken_ - idle_.size();
    }

    /// Callers that wait for an item.
    std::size_t waiting() const {
        const std::lock_guard lock(mutex_);
        return waiting_.size();
    }

    std::size_t size() const { return size_; }

private:
    struct Waiter {
        std::condition_variable served;
        std::unique_ptr<T> item; // null: a place to make one in
        bool has_place = false;
    };

    Lease make_in_taken_place() {
        std::unique_ptr<T> item;
        try {
            item = make_();
        } catch (...) {
            release_place();
            throw;
        }
        if (!item)
            release_place();
        return item ? Lease(*this, std::move(item)) : Lease();
    }

    void give_back(std::unique_ptr<T> item) {
        if (!item->recycle())
            item.reset();
        if (!item)
            return release_place();
        std::unique_lock lock(mutex_);
        if (!serve_next(lock, item))
            idle_.push_back(std::move(item));
    }

    void release_place() {
        std::unique_lock lock(mutex_);
        std::unique_ptr<T> none;
        if (!serve_next(lock, none))
            --places_taken_;
    }

    // Hands an item, or only the place to make one, to who waits longest. Wakes it without the
    // lock, which it needs first of all, and then may be gone: hence shared.
    bool serve_next(std::unique_lock<std::mutex> &lock, std::unique_ptr<T> &item) {
        if (waiting_.empty())
            return false;
        const std::shared_ptr<Waiter> next = std::move(waiting_.front());
        waiting_.pop_front();
        next->item = std::move(item);
        next->has_place = true;
        lock.unlock();
        next->served.notify_one();
        return true;
    }

    const std::size_t size_;
    const Make make_;
    mutable std::mutex mutex_;
    std::list<std::shared_ptr<Waiter>> waiting_; // only while no item is idle and no place free
    std::vector<std::unique_ptr<T>>
        idle_;                     // last in, first out: the rest may be closed by a firewall
    std::size_t places_taken_ = 0; // idle, on loan or being made
};

} // namespace tenancy::server::db
