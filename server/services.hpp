// What every handler may use; made once by serve.cpp and outliving all requests.
#pragma once

#include <atomic>
#include <chrono>
#include <string>

#include "config.hpp"
#include "db/database.hpp"
#include "llm/model.hpp"
#include "metrics.hpp"
#include "rate/shared_limit.hpp"
#include "slots.hpp"

namespace tenancy::server {

struct Services {
    const Config &config;
    db::Database &database;
    llm::Model &model;
    Metrics &metrics;
    Slots &turns;
    std::string instance_id; // random, one per process; empty: nothing shows that it is alive
    std::atomic<bool> &is_stopping;
    rate::SharedLimit *shared_limit = nullptr; // null: the database alone limits
};

} // namespace tenancy::server
