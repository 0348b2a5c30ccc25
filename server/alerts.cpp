#include "alerts.hpp"

#include "log.hpp"

namespace tenancy::server {

namespace {

using namespace std::chrono_literals;

constexpr auto kSlice = 200ms; // so long a stop may have to wait
constexpr int kSlices = 25;    // then alerts whose pause is over are looked for
constexpr std::chrono::seconds kLeaseMargin{5};

std::string text_of(const db::Row &row, std::size_t column) {
    return column < row.columns.size() ? row.columns[column].value_or("") : "";
}

} // namespace

Alerts::Alerts(db::ConnectionSettings settings, const AlertsConfig &config, Metrics &metrics)
    : settings_(std::move(settings)), webhook_(config), metrics_(metrics),
      lease_(std::to_string((config.timeout + kLeaseMargin).count())), thread_([this] { work(); }) {
}

Alerts::~Alerts() {
    is_stopping_ = true;
    thread_.join();
}

// The thread's whole life: nothing may escape from it. Whatever went wrong, the alerts are still in
// the database.
void Alerts::work() noexcept {
    while (!is_stopping_) {
        try {
            if (connection_ != nullptr || listen())
                while (!is_stopping_ && send_next()) {
                }
            wait();
        } catch (const std::exception &) {
            log_event(LogLevel::error, "alerts_interrupted");
            connection_.reset();
        }
    }
}

// Before the first look at the table: what comes in between is heard.
bool Alerts::listen() {
    auto connection = db::Connection::open(settings_);
    if (connection == nullptr)
        return false;
    connection_ = std::move(connection);
    const db::Outcome outcome = connection_->run(db::Statement::listen, {});
    if (std::holds_alternative<db::Rows>(outcome))
        return true;
    give_up(outcome);
    return false;
}

// False when no alert is due.
bool Alerts::send_next() {
    const db::Outcome outcome = connection_->run(db::Statement::claim_alert, {lease_});
    const auto *rows = std::get_if<db::Rows>(&outcome);
    if (rows == nullptr)
        give_up(outcome);
    if (rows == nullptr || rows->size() != 1)
        return false;
    deliver(rows->front());
    return connection_ != nullptr;
}

void Alerts::deliver(const db::Row &alert) {
    const HttpPost::Result result = webhook_.deliver(text_of(alert, 2), is_stopping_);
    metrics_.count_alert(result.is_delivered());
    if (!result.is_delivered()) {
        log_event(LogLevel::warn, "alert_not_delivered",
                  {log_text("alert_id", text_of(alert, 1)), log_text("reason", result.reason),
                   log_number("status", static_cast<long long>(result.status))});
        return;
    }
    const db::Outcome outcome =
        connection_->run(db::Statement::alert_delivered, {text_of(alert, 0), text_of(alert, 1)});
    if (std::holds_alternative<db::Error>(outcome))
        give_up(outcome);
}

// Until an alert is announced or it is time to look anyway. Never less than one slice: who floods
// the channel does not make this thread work more often.
void Alerts::wait() {
    std::this_thread::sleep_for(kSlice);
    for (int i = 0; i < kSlices && !is_stopping_; ++i) {
        if (connection_ == nullptr) {
            std::this_thread::sleep_for(kSlice);
            continue;
        }
        const auto heard = connection_->wait_for_notification(kSlice);
        if (heard == db::Connection::Heard::notification)
            return;
        if (heard == db::Connection::Heard::end)
            connection_.reset();
    }
}

void Alerts::give_up(const db::Outcome &outcome) {
    log_event(LogLevel::warn, "alerts_failed",
              {log_text("sqlstate", std::get<db::Error>(outcome).sqlstate)});
    connection_.reset();
}

} // namespace tenancy::server
