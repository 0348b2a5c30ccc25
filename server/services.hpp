// What every handler may use; made once by serve.cpp and outliving all requests.
#pragma once

#include <atomic>
#include <chrono>
#include <string>

#include "db/database.hpp"
#include "metrics.hpp"
#include "settings.hpp"
#include "shares.hpp"
#include "slots.hpp"
#include "span_exporter.hpp"

namespace tenancy::server {

struct Services {
    const LiveSettings &settings;
    db::Database &database;
    Metrics &metrics;
    Slots &turns;
    Shares &turn_shares;
    Slots &bodies; // large ones on their way in
    Shares &body_shares;
    Slots &uploads; // large ones, in memory until they are stored
    Shares &upload_shares;
    std::string instance_id; // random, one per process; empty: nothing shows that it is alive
    std::atomic<bool> &is_stopping;
    SpanExporter *spans = nullptr; // null: nothing is sent on
};

} // namespace tenancy::server
