// What the database wants done now and then: seals for the audit log, and records removed that are
// too old. Any instance may do it; the database lets one at a time.
#pragma once

#include <chrono>

#include "db/connection.hpp"

namespace tenancy::server {

/// For the thread of the maintenance connection, which has other things to do: one step takes one
/// batch of each task that is due.
class Housekeeping {
public:
    /// False when the connection is lost.
    bool step(db::Connection &connection);

private:
    using Clock = std::chrono::steady_clock;

    bool seal(db::Connection &connection);
    bool purge(db::Connection &connection);

    Clock::time_point seal_at_{};
    Clock::time_point purge_at_{}; // due at once
};

} // namespace tenancy::server
