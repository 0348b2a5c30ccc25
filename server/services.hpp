// What every handler may use; made once by serve.cpp and outliving all requests.
#pragma once

#include <atomic>
#include <chrono>
#include <string>

#include "db/database.hpp"
#include "metrics.hpp"
#include "settings.hpp"

namespace tenancy::server {

/// Counts what runs at the same time, up to a bound.
class Slots {
public:
    explicit Slots(std::size_t most) : most_(most) {}
    bool take() {
        if (taken_.fetch_add(1) < most_)
            return true;
        taken_.fetch_sub(1);
        return false;
    }
    void give_back() { taken_.fetch_sub(1); }
    std::size_t taken() const { return taken_.load(); }
    /// Those above a lower bound end in their own time.
    void set_most(std::size_t most) { most_ = most; }

private:
    std::atomic<std::size_t> most_;
    std::atomic<std::size_t> taken_{0};
};

struct Services {
    const LiveSettings &settings;
    db::Database &database;
    Metrics &metrics;
    Slots &turns;
    std::string instance_id; // random, one per process; empty: nothing shows that it is alive
    std::atomic<bool> &is_stopping;
};

} // namespace tenancy::server
