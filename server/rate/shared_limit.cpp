#include "shared_limit.hpp"

#include <array>

#include "../log.hpp"

namespace tenancy::server::rate {

namespace {

using nlohmann::json;

constexpr std::chrono::seconds kPause{1};         // without Valkey after a failure
constexpr std::chrono::seconds kWarnInterval{10}; // between two lines about it

// The words of agent.shared_rate(), in the order in which a refusal names them.
constexpr std::array<const char *, 2> kUnits = {"requests", "tokens"};

// The tenant in braces: in a cluster all keys of one tenant are in one slot. Its id comes from the
// database, whose rule for ids knows no brace; nothing of a key comes from a client.
std::string key_of(const std::string &prefix, const std::string &tenant, const char *unit) {
    return prefix + "{" + tenant + "}:" + unit;
}

Taken costs_of(const json &wanted, const std::string &prefix) {
    Taken taken;
    taken.at = std::chrono::steady_clock::now();
    for (const char *unit : kUnits) {
        const auto found = wanted.find(unit);
        if (found == wanted.end())
            continue;
        if (unit == kUnits.back())
            taken.tokens = taken.flows.size();
        taken.flows.push_back({key_of(prefix, wanted.at("tenant_id").get<std::string>(), unit),
                               found->at("per_minute").get<long long>(),
                               found->at("burst").get<long long>(),
                               found->at("cost").get<long long>()});
    }
    return taken;
}

json to_json(const FlowAnswer &answer) {
    return {{"allowed", answer.allowed},
            {"limit", answer.limit},
            {"remaining", answer.remaining},
            {"retry_after_ms", answer.retry_after_ms ? json(*answer.retry_after_ms) : json()},
            {"reset_after_ms", answer.reset_after_ms}};
}

} // namespace

long long unused_units(const FlowCost &taken, long long used, std::chrono::milliseconds age) {
    constexpr double kMinuteMs = 60000;
    const double run_off =
        static_cast<double>(age.count()) * static_cast<double>(taken.per_minute) / kMinuteMs;
    const double unused = static_cast<double>(taken.cost - used) - run_off;
    return unused < 1 ? 0 : static_cast<long long>(unused);
}

SharedLimit::SharedLimit(const SharedLimitConfig &config)
    : address_(config.address), timeout_(config.timeout), key_prefix_(config.key_prefix),
      pool_(kValkeyConnections, [this] { return std::make_unique<ValkeyConnection>(address_); }),
      breaker_(kPause) {}

std::optional<Decision> SharedLimit::take(const std::string &wanted) {
    Taken taken = costs_of(json::parse(wanted), key_prefix_);
    const auto answers = ask(taken.flows);
    if (!answers)
        return std::nullopt;
    Decision decision;
    decision.allowed = true;
    for (std::size_t i = 0; i < answers->size(); ++i) {
        const bool is_tokens = taken.tokens == i;
        decision.answers[is_tokens ? kUnits.back() : kUnits.front()] = to_json(answers->at(i));
        decision.allowed = decision.allowed && answers->at(i).allowed;
    }
    if (decision.allowed)
        decision.taken = std::move(taken);
    return decision;
}

void SharedLimit::give_back(const Taken &taken) {
    std::vector<FlowCost> flows = taken.flows;
    for (FlowCost &flow : flows)
        flow.cost = -flow.cost;
    if (!flows.empty())
        ask(flows);
}

void SharedLimit::give_back_unused(const Taken &taken, long long used_tokens) {
    if (!taken.tokens)
        return;
    FlowCost flow = taken.flows.at(*taken.tokens);
    flow.cost = -unused_units(
        flow, used_tokens,
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - taken.at));
    if (flow.cost < 0)
        ask({flow});
}

std::optional<std::vector<FlowAnswer>> SharedLimit::ask(const std::vector<FlowCost> &flows) {
    const auto started = Clock::now();
    if (!breaker_.is_closed(started))
        return std::nullopt;
    const auto lease = pool_.acquire(timeout_);
    const auto outcome = lease ? lease->take(flows, started + timeout_)
                               : ValkeyConnection::Outcome("all connections are in use");
    if (const auto *reason = std::get_if<std::string>(&outcome)) {
        breaker_.failed(Clock::now());
        note_failure(*reason);
        return std::nullopt;
    }
    return std::get<std::vector<FlowAnswer>>(outcome);
}

void SharedLimit::note_failure(const std::string &reason) {
    const auto now = Clock::now();
    {
        const std::lock_guard lock(mutex_);
        if (warned_at_ && now - *warned_at_ < kWarnInterval)
            return;
        warned_at_ = now;
    }
    log_event(LogLevel::warn, "valkey_unavailable", {log_text("reason", reason)});
}

} // namespace tenancy::server::rate
