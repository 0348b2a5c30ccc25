// Sends alerts of budgets to the webhook: listens for them, and looks for those that are due again.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "db/connection.hpp"
#include "http_webhook.hpp"
#include "metrics.hpp"

namespace tenancy::server {

/// A thread with a connection of its own in the maintenance role. Of several servers one claims
/// each alert; one that could not be delivered is due again after a pause, to any of them, also
/// after a restart. So every alert is delivered once, or more often when an answer was lost.
class Alerts {
public:
    /// `metrics` must outlive it.
    Alerts(db::ConnectionSettings settings, const AlertsConfig &config, Metrics &metrics);
    ~Alerts();
    Alerts(const Alerts &) = delete;
    Alerts &operator=(const Alerts &) = delete;
    Alerts(Alerts &&) = delete;
    Alerts &operator=(Alerts &&) = delete;

private:
    void work() noexcept;
    bool listen();
    bool send_next();
    void deliver(const db::Row &alert);
    void wait();
    void give_up(const db::Outcome &outcome);

    const db::ConnectionSettings settings_;
    const Webhook webhook_;
    Metrics &metrics_;
    const std::string lease_;                    // seconds that an alert is this server's alone
    std::unique_ptr<db::Connection> connection_; // of the thread; null until it listens
    std::atomic<bool> is_stopping_{false};
    std::thread thread_; // last: it uses all of the above
};

} // namespace tenancy::server
