// RAII over one hiredis connection that knows one question: may these flows be taken? The only
// other file that sees hiredis is valkey.cpp.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "valkey_address.hpp"

namespace tenancy::server::rate {

/// Units to take from a rate under one key; a negative cost gives back.
struct FlowCost {
    std::string key;
    long long per_minute = 0; // 1 to 6e10
    long long burst = 0;      // likewise
    long long cost = 0;       // -6e10 to 6e10
};

/// What became of them, as redis-cell has it. Nothing is taken unless all flows are allowed.
struct FlowAnswer {
    bool allowed = false;
    long long limit = 0; // units a minute
    long long remaining = 0;
    std::optional<long long> retry_after_ms; // nothing: the cost can never pass
    long long reset_after_ms = 0;
};

class ValkeyConnection {
public:
    using Clock = std::chrono::steady_clock;
    /// The answers in the order of the flows, or why there are none: words for the log, with
    /// nothing of what was sent in them.
    using Outcome = std::variant<std::vector<FlowAnswer>, std::string>;

    /// Connects at the first question. `address` must outlive the connection.
    explicit ValkeyConnection(const ValkeyAddress &address);
    ~ValkeyConnection();
    ValkeyConnection(const ValkeyConnection &) = delete;
    ValkeyConnection &operator=(const ValkeyConnection &) = delete;
    ValkeyConnection(ValkeyConnection &&) = delete;
    ValkeyConnection &operator=(ValkeyConnection &&) = delete;

    /// Asks, connecting and signing in before where need be, all of it before `deadline` (but for
    /// the resolution of a host name, which has the resolver's own time limit).
    Outcome take(const std::vector<FlowCost> &flows, Clock::time_point deadline);

    /// For the pool: false when the other side has closed this idle connection.
    bool is_usable();
    /// For the pool: false after a failure.
    bool recycle();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace tenancy::server::rate
