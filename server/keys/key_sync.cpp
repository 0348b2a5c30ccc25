#include "key_sync.hpp"

#include <charconv>
#include <random>

#include "../log.hpp"

namespace tenancy::server::keys {

namespace {

double random_share() {
    static std::mt19937_64 generator{std::random_device{}()};
    return std::uniform_real_distribution<double>(0.0, 1.0)(generator);
}

long long number(const std::optional<std::string> &text) {
    long long value = 0;
    if (text)
        std::from_chars(text->data(), text->data() + text->size(), value);
    return value;
}

db::ConnectionSettings settings_of(const Config &config) {
    return {*config.key_sync.database_url, config.storage.acquire_timeout,
            config.storage.statement_timeout, false};
}

} // namespace

KeySync::KeySync(const Config &config, SyncMetrics &metrics) : config_(config), metrics_(metrics) {
    for (const IssuerConfig &issuer : config.tenancy.issuers)
        issuers_.push_back({&issuer, KeySource(issuer, config.key_sync),
                            Schedule(config.key_sync.refresh, config.key_sync.cooldown)});
}

void KeySync::lose_connection() {
    connection_.reset();
    is_active_ = false;
    metrics_.set_active(false);
}

// Only the session that holds the lock loads: an old set that is still under way in a loader that
// was taken for dead cannot come after a newer one.
bool KeySync::become_active() {
    if (connection_ == nullptr) {
        connection_ = db::Connection::open(settings_of(config_));
        is_active_ = false;
    }
    if (connection_ == nullptr)
        return false;
    if (is_active_)
        return true;
    const db::Outcome outcome = connection_->run(db::Statement::key_lock, {});
    const auto *rows = std::get_if<db::Rows>(&outcome);
    if (rows == nullptr) {
        log_event(LogLevel::warn, "key_sync_not_allowed",
                  {log_text("sqlstate", std::get<db::Error>(outcome).sqlstate)});
        lose_connection();
        return false;
    }
    is_active_ = rows->front().columns.front() == "t";
    metrics_.set_active(is_active_);
    if (is_active_) {
        log_event(LogLevel::info, "key_sync_active");
        for (Issuer &issuer : issuers_)
            issuer.source.forget(); // another loader may have changed the set
    }
    return is_active_;
}

bool KeySync::read_unknown_kids() {
    const db::Outcome outcome = connection_->run(db::Statement::key_state, {});
    const auto *rows = std::get_if<db::Rows>(&outcome);
    if (rows == nullptr) {
        lose_connection();
        return false;
    }
    unknown_kids_.clear();
    for (const db::Row &row : *rows)
        unknown_kids_[row.columns.at(0).value_or("")] = number(row.columns.at(1));
    return true;
}

long long KeySync::unknown_kids(const Issuer &issuer) const {
    const auto found = unknown_kids_.find(issuer.config->issuer);
    return found == unknown_kids_.end() ? 0 : found->second;
}

bool KeySync::load(Issuer &issuer, const KeySet &set) {
    const std::string grace = std::to_string(config_.key_sync.retire_grace.count()) + " seconds";
    const db::Outcome outcome =
        connection_->run(db::Statement::load_keys, {issuer.config->issuer, set.jwks, grace});
    if (const auto *error = std::get_if<db::Error>(&outcome)) {
        // The database names the reason, never a byte of the set.
        log_event(LogLevel::error, "key_set_refused",
                  {log_text("issuer", issuer.config->issuer), log_text("sqlstate", error->sqlstate),
                   log_text("message", error->message), log_text("detail", error->detail)});
        metrics_.count(issuer.config->issuer, RefreshResult::refused);
        if (error->sqlstate.empty())
            lose_connection();
        return false;
    }
    issuer.source.accept();
    metrics_.count(issuer.config->issuer, RefreshResult::loaded);
    log_event(LogLevel::info, "keys_loaded",
              {log_text("issuer", issuer.config->issuer),
               log_number("keys", static_cast<long long>(std::get<db::Rows>(outcome).size()))});
    return true;
}

// The set was current a moment ago: its keys verify until the refresh after the next one is
// overdue, and for the grace. A loader that runs once sets no end, for nobody would move it.
bool KeySync::keep(const Issuer &issuer) {
    const KeySyncConfig &sync = config_.key_sync;
    const auto time = sync.refresh * 2 + sync.stale_grace;
    const std::string how_long = comes_again_ ? std::to_string(time.count()) + " seconds" : "";
    const db::Outcome outcome =
        connection_->run(db::Statement::keep_keys, {issuer.config->issuer, how_long});
    const auto *error = std::get_if<db::Error>(&outcome);
    if (error == nullptr)
        return true;
    log_event(LogLevel::error, "keys_not_kept",
              {log_text("issuer", issuer.config->issuer), log_text("sqlstate", error->sqlstate),
               log_text("message", error->message)});
    if (error->sqlstate.empty())
        lose_connection();
    return false;
}

bool KeySync::refresh(Issuer &issuer) {
    issuer.schedule.begin(Clock::now(), unknown_kids(issuer));
    const KeySet set = issuer.source.fetch();
    bool is_good = set.problem.empty();
    if (!is_good) {
        log_event(LogLevel::warn, "key_refresh_failed",
                  {log_text("issuer", issuer.config->issuer), log_text("problem", set.problem)});
        metrics_.count(issuer.config->issuer, RefreshResult::failed);
    } else if (set.is_unchanged) {
        metrics_.count(issuer.config->issuer, RefreshResult::unchanged);
    } else {
        is_good = load(issuer, set);
    }
    is_good = is_good && keep(issuer);
    if (is_good)
        issuer.schedule.succeed(Clock::now(), set.max_age, random_share());
    else
        issuer.schedule.fail(Clock::now(), random_share());
    return is_good;
}

void KeySync::tick() {
    if (!become_active() || !read_unknown_kids())
        return;
    for (Issuer &issuer : issuers_)
        if (is_active_ && issuer.schedule.is_due(Clock::now(), unknown_kids(issuer)))
            refresh(issuer);
}

bool KeySync::run_once() {
    comes_again_ = false;
    if (!become_active()) {
        if (connection_ != nullptr)
            log_event(LogLevel::info, "key_sync_elsewhere");
        return connection_ != nullptr;
    }
    bool all_good = true;
    for (Issuer &issuer : issuers_)
        all_good = is_active_ && refresh(issuer) && all_good;
    return all_good;
}

} // namespace tenancy::server::keys
