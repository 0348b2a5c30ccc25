// The limit that several primaries share, counted in a Valkey. The database says what there is to
// take and words the refusals; this asks Valkey, and never waits for one that is away. It comes on
// top of the database's own limit: without an answer that one decides.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "../config.hpp"
#include "../db/pool.hpp"
#include "breaker.hpp"
#include "valkey.hpp"

namespace tenancy::server::rate {

/// What one request took from the shared limit; empty when it took nothing.
struct Taken {
    std::vector<FlowCost> flows;
    std::optional<std::size_t> tokens; // which of them counts tokens
    std::chrono::steady_clock::time_point at{};
};

/// What goes back to a flow of which a turn took more than it used, that long ago: not what has run
/// off since, which would come out of what others took.
long long unused_units(const FlowCost &taken, long long used, std::chrono::milliseconds age);

// The JSON library's constructors throw nothing here, which the checker cannot tell.
// NOLINTNEXTLINE(bugprone-exception-escape)
struct Decision {
    bool allowed = false;
    nlohmann::json answers; // what agent.call expects as request.shared_rate
    Taken taken;            // empty when refused
};

class SharedLimit {
public:
    explicit SharedLimit(const SharedLimitConfig &config);

    /// False while Valkey was found away a moment ago: no need to find out what there is to take.
    bool is_awake() const { return breaker_.is_closed(Clock::now()); }

    /// Asks for what agent.shared_rate() returned. Nothing when Valkey gave no answer in time.
    std::optional<Decision> take(const std::string &wanted);

    /// Gives all of it back, for a request that does not count after all.
    void give_back(const Taken &taken);
    /// Gives back the tokens that a turn did not use.
    void give_back_unused(const Taken &taken, long long used_tokens);

private:
    using Clock = std::chrono::steady_clock;

    std::optional<std::vector<FlowAnswer>> ask(const std::vector<FlowCost> &flows);
    void note_failure(const std::string &reason);

    const ValkeyAddress address_;
    const std::chrono::milliseconds timeout_;
    const std::string key_prefix_;
    db::Pool<ValkeyConnection> pool_;
    Breaker breaker_;
    std::mutex mutex_;
    std::optional<Clock::time_point> warned_at_;
};

} // namespace tenancy::server::rate
