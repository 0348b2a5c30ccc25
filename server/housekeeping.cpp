#include "housekeeping.hpp"

#include "log.hpp"

namespace tenancy::server {

namespace {

constexpr std::chrono::minutes kSealInterval{1};
constexpr std::chrono::hours kPurgeInterval{1};
constexpr const char *kSealedRows = "10000"; // of one call
constexpr const char *kPurgedRows = "1000";

std::string text_of(const db::Row &row, std::size_t column) {
    return column < row.columns.size() ? row.columns[column].value_or("") : "";
}

// False when the connection is lost.
bool report(const char *event, const db::Outcome &outcome) {
    const auto *error = std::get_if<db::Error>(&outcome);
    if (error == nullptr)
        return true;
    log_event(LogLevel::warn, event, {log_text("sqlstate", error->sqlstate)});
    return !error->sqlstate.empty();
}

} // namespace

bool Housekeeping::step(db::Connection &connection) {
    const auto now = Clock::now();
    if (now >= seal_at_ && !seal(connection))
        return false;
    return now < purge_at_ || purge(connection);
}

// The heads in the log are the copy that an administrator compares with tenancy.audit_head().
bool Housekeeping::seal(db::Connection &connection) {
    const db::Outcome outcome = connection.run(db::Statement::seal_audit, {kSealedRows});
    const auto *seals = std::get_if<db::Rows>(&outcome);
    if (seals == nullptr || seals->empty())
        seal_at_ = Clock::now() + kSealInterval;
    if (seals != nullptr)
        for (const db::Row &row : *seals)
            log_event(LogLevel::info, "audit_sealed",
                      {log_text("tenant", text_of(row, 0)), log_text("seal_no", text_of(row, 1)),
                       log_text("rows", text_of(row, 2)), log_text("sha256", text_of(row, 3))});
    return report("audit_not_sealed", outcome);
}

bool Housekeeping::purge(db::Connection &connection) {
    const db::Outcome outcome = connection.run(db::Statement::apply_retention, {kPurgedRows});
    const auto *purged = std::get_if<db::Rows>(&outcome);
    if (purged == nullptr || purged->empty())
        purge_at_ = Clock::now() + kPurgeInterval;
    if (purged != nullptr)
        for (const db::Row &row : *purged)
            log_event(LogLevel::info, "records_purged",
                      {log_text("tenant", text_of(row, 0)), log_text("kind", text_of(row, 1)),
                       log_text("count", text_of(row, 2))});
    return report("retention_failed", outcome);
}

} // namespace tenancy::server
