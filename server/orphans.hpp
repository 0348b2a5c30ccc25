// Turns without a server: this instance proves that it is alive, and ends the turns of those that
// are not.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "db/connection.hpp"
#include "housekeeping.hpp"

namespace tenancy::server {

/// A thread with a database connection of its own, in the maintenance role: who has the
/// application's role can neither pass for this instance nor end its connection. The connection
/// holds this instance's lock: the database takes the instance for gone when the connection ends,
/// however it ends. Every few seconds it sweeps, and takes a step of the housekeeping.
class Orphans {
public:
    Orphans(db::ConnectionSettings settings, std::string instance_id);
    ~Orphans();
    Orphans(const Orphans &) = delete;
    Orphans &operator=(const Orphans &) = delete;
    Orphans(Orphans &&) = delete;
    Orphans &operator=(Orphans &&) = delete;

    /// Open turns of all tenants and servers, and the picodollars they hold, at the last sweep.
    std::size_t open_holds() const { return open_holds_; }
    std::size_t held_picodollars() const { return held_picodollars_; }

private:
    void work();
    void hold_lock();
    void sweep();
    void count_holds();

    const db::ConnectionSettings settings_;
    const std::string instance_id_;
    std::unique_ptr<db::Connection> connection_; // of the thread; null until the lock is held
    Housekeeping housekeeping_;                  // of the thread, too
    std::mutex mutex_;
    std::condition_variable wake_;
    bool is_stopping_ = false;
    std::atomic<std::size_t> open_holds_{0};
    std::atomic<std::size_t> held_picodollars_{0};
    std::thread thread_; // last: it uses all of the above
};

} // namespace tenancy::server
