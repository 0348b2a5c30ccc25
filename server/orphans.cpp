#include "orphans.hpp"

#include <cstdlib>

#include "log.hpp"

namespace tenancy::server {

namespace {

constexpr std::chrono::seconds kInterval{5};
constexpr long long kMostAtOnce = 1000;
constexpr const char *kBatch = "1"; // one turn, one transaction: its locks are gone at once

bool is_single(const db::Outcome &outcome, const char *value) {
    const auto *rows = std::get_if<db::Rows>(&outcome);
    return rows != nullptr && rows->size() == 1 && rows->front().columns.front() == value;
}

} // namespace

Orphans::Orphans(db::ConnectionSettings settings, std::string instance_id)
    : settings_(std::move(settings)), instance_id_(std::move(instance_id)) {
    hold_lock(); // before the first turn: it would be an orphan to others
    thread_ = std::thread([this] { work(); });
}

Orphans::~Orphans() {
    {
        const std::lock_guard lock(mutex_);
        is_stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

void Orphans::work() {
    std::unique_lock lock(mutex_);
    while (!is_stopping_) {
        lock.unlock();
        if (connection_ == nullptr)
            hold_lock();
        if (connection_ != nullptr)
            sweep();
        if (connection_ != nullptr)
            count_holds();
        if (connection_ != nullptr && !housekeeping_.step(*connection_))
            connection_.reset();
        lock.lock();
        wake_.wait_for(lock, kInterval, [this] { return is_stopping_; });
    }
}

// Asked again at the next interval when it fails: a sweeper elsewhere may hold the lock for a
// moment.
void Orphans::hold_lock() {
    auto connection = db::Connection::open(settings_);
    if (connection != nullptr &&
        is_single(connection->run(db::Statement::lock, {instance_id_}), "t"))
        connection_ = std::move(connection);
    else
        log_event(LogLevel::warn, "instance_lock_not_held",
                  {log_text("instance_id", instance_id_)});
}

void Orphans::sweep() {
    long long swept = 0;
    db::Outcome outcome = connection_->run(db::Statement::sweep, {kBatch});
    for (; is_single(outcome, kBatch) && swept < kMostAtOnce; ++swept)
        outcome = connection_->run(db::Statement::sweep, {kBatch});
    if (swept > 0)
        log_event(LogLevel::warn, "orphaned_turns_ended", {log_number("count", swept)});
    if (std::holds_alternative<db::Rows>(outcome))
        return;
    const auto &error = std::get<db::Error>(outcome);
    log_event(LogLevel::warn, "sweep_failed", {log_text("sqlstate", error.sqlstate)});
    if (error.sqlstate.empty())
        connection_.reset(); // and with it the lock; the next round takes it again
}

void Orphans::count_holds() {
    const db::Outcome outcome = connection_->run(db::Statement::open_holds, {});
    const auto *rows = std::get_if<db::Rows>(&outcome);
    if (rows == nullptr || rows->size() != 1 || rows->front().columns.size() != 2)
        return; // the next sweep says why
    const auto &columns = rows->front().columns;
    open_holds_ = std::strtoull(columns[0].value_or("0").c_str(), nullptr, 10);
    held_picodollars_ = std::strtoull(columns[1].value_or("0").c_str(), nullptr, 10);
}

} // namespace tenancy::server
