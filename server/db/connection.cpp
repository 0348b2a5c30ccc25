#include "connection.hpp"

#include <poll.h>

#include <libpq-fe.h>

#include "../log.hpp"
#include "../random_id.hpp"

namespace tenancy::server::db {

namespace {

using Clock = std::chrono::steady_clock;

struct FreeResult {
    void operator()(PGresult *result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, FreeResult>;

struct CloseConnection {
    void operator()(PGconn *connection) const { PQfinish(connection); }
};

// Server notices are nobody's business here and may quote data.
void ignore_notice(void * /*context*/, const char * /*message*/) {}

std::string field(const PGresult *result, int code) {
    const char *text = PQresultErrorField(result, code);
    return text == nullptr ? "" : text;
}

bool wait_for(int socket, bool also_writable, Clock::time_point deadline) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0)
        return false;
    pollfd entry{socket, static_cast<short>(also_writable ? POLLIN | POLLOUT : POLLIN), 0};
    return poll(&entry, 1, static_cast<int>(left.count()) + 1) >= 0; // a signal: just look again
}

Outcome to_outcome(const PGresult *result) {
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        return Error{field(result, PG_DIAG_SQLSTATE), field(result, PG_DIAG_MESSAGE_PRIMARY),
                     field(result, PG_DIAG_MESSAGE_DETAIL), field(result, PG_DIAG_MESSAGE_HINT)};
    Rows rows(static_cast<std::size_t>(PQntuples(result)));
    for (int r = 0; r < PQntuples(result); ++r)
        for (int c = 0; c < PQnfields(result); ++c)
            rows[static_cast<std::size_t>(r)].columns.push_back(
                PQgetisnull(result, r, c) != 0
                    ? std::nullopt
                    : std::optional<std::string>(
                          std::in_place, PQgetvalue(result, r, c),
                          static_cast<std::size_t>(PQgetlength(result, r, c))));
    return rows;
}

// Answers by design (PT...) and input that PostgreSQL's JSON cannot take (class 22): the
// transaction is over, nothing is left on the connection, and a client must not be able to make us
// reset it.
bool leaves_nothing(const Error &error) {
    return error.sqlstate.rfind("PT", 0) == 0 || error.sqlstate.rfind("22", 0) == 0;
}

// The statement was never executed: what the server knew of it is gone or out of date.
bool is_stale_plan(const Error &error) {
    return error.sqlstate == "26000" ||
           (error.sqlstate == "0A000" && error.message.find("cached plan") != std::string::npos);
}

// libpq quotes what it cannot read in a connection string, and that may be the password.
bool can_be_read(const Secret &url) {
    PQconninfoOption *const options = PQconninfoParse(url.reveal().c_str(), nullptr);
    PQconninfoFree(options);
    return options != nullptr;
}

} // namespace

struct Connection::Impl {
    std::unique_ptr<PGconn, CloseConnection> connection;
    ConnectionSettings settings;
    std::array<bool, kStatements.size()> prepared{};
    bool broken = false;   // close it
    bool doubtful = false; // DISCARD ALL before the next use
    // In the names of prepared statements. Behind a pooler that hands a session of the server to
    // others, too, whoever knows a name can put a statement of his own there, and gets our tokens.
    const std::string secret = random_hex(8);

    std::string name_of(Statement statement) const;
    Outcome finish(bool sent);
    bool flush(Clock::time_point deadline) const;
    Result next_result(Clock::time_point deadline);
    void cancel() const;
    Outcome prepare(Statement statement);
    Outcome execute(Statement statement, const std::vector<std::string> &parameters,
                    std::optional<std::string_view> bytes);
    Outcome lost();
    bool take_notifications() const;
};

Outcome Connection::Impl::lost() {
    broken = true;
    return Error{};
}

// True when there was one. Nothing in it is of use: anyone may send it, it only wakes.
bool Connection::Impl::take_notifications() const {
    bool found = false;
    while (PGnotify *notification = PQnotifies(connection.get())) {
        PQfreemem(notification);
        found = true;
    }
    return found;
}

bool Connection::Impl::flush(Clock::time_point deadline) const {
    int pending = PQflush(connection.get());
    while (pending == 1) {
        if (!wait_for(PQsocket(connection.get()), true, deadline) ||
            PQconsumeInput(connection.get()) != 1)
            return false;
        pending = PQflush(connection.get());
    }
    return pending == 0;
}

// The next result, null at the end of the statement; sets `broken` when there is none to come.
Result Connection::Impl::next_result(Clock::time_point deadline) {
    while (PQisBusy(connection.get()) == 1) {
        if (!wait_for(PQsocket(connection.get()), false, deadline) ||
            PQconsumeInput(connection.get()) != 1) {
            broken = true;
            return nullptr;
        }
    }
    return Result(PQgetResult(connection.get()));
}

void Connection::Impl::cancel() const {
    PGcancel *cancel = PQgetCancel(connection.get());
    if (cancel == nullptr)
        return;
    std::array<char, 256> reason{};
    PQcancel(cancel, reason.data(), static_cast<int>(reason.size()));
    PQfreeCancel(cancel);
}

// Sends what is queued and collects the outcome of the statement.
Outcome Connection::Impl::finish(bool sent) {
    const auto deadline = Clock::now() + settings.statement_timeout;
    if (!sent || !flush(deadline))
        return lost();
    Outcome outcome = Error{};
    for (;;) {
        const Result result = next_result(deadline);
        if (broken) {
            if (Clock::now() >= deadline)
                cancel(); // or the backend would work on for nobody
            return lost();
        }
        if (!result)
            break;
        outcome = to_outcome(result.get());
    }
    if (PQstatus(connection.get()) != CONNECTION_OK)
        return lost();
    if (const auto *error = std::get_if<Error>(&outcome))
        doubtful = doubtful || !leaves_nothing(*error);
    return outcome;
}

std::string Connection::Impl::name_of(Statement statement) const {
    return std::string(statement_text(statement).name) + "_" + secret;
}

Outcome Connection::Impl::prepare(Statement statement) {
    Outcome outcome = finish(PQsendPrepare(connection.get(), name_of(statement).c_str(),
                                           statement_text(statement).sql, 0, nullptr) == 1);
    prepared.at(static_cast<std::size_t>(statement)) = std::holds_alternative<Rows>(outcome);
    return outcome;
}

Outcome Connection::Impl::execute(Statement statement, const std::vector<std::string> &parameters,
                                  std::optional<std::string_view> bytes) {
    std::vector<const char *> values;
    values.reserve(parameters.size() + 1);
    for (const std::string &parameter : parameters)
        values.push_back(parameter.c_str());
    std::vector<int> lengths(values.size()); // counts for bytes only, as the formats say
    std::vector<int> formats(values.size());
    if (bytes) {
        values.push_back(bytes->empty() ? "" : bytes->data()); // null would be SQL's NULL
        lengths.push_back(static_cast<int>(bytes->size()));
        formats.push_back(1);
    }
    const int count = static_cast<int>(values.size());
    if (!settings.prepare_statements)
        return finish(PQsendQueryParams(connection.get(), statement_text(statement).sql, count,
                                        nullptr, values.data(), lengths.data(), formats.data(),
                                        0) == 1);
    if (!prepared.at(static_cast<std::size_t>(statement)))
        if (Outcome outcome = prepare(statement); std::holds_alternative<Error>(outcome))
            return outcome;
    return finish(PQsendQueryPrepared(connection.get(), name_of(statement).c_str(), count,
                                      values.data(), lengths.data(), formats.data(), 0) == 1);
}

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Connection::~Connection() = default;

std::unique_ptr<Connection> Connection::open(const ConnectionSettings &settings) {
    if (!can_be_read(settings.url)) {
        log_event(LogLevel::error, "database_connect_failed",
                  {log_text("reason", "the database URL cannot be read; it looks like "
                                      "postgresql://user:password@host:5432/database")});
        return nullptr;
    }
    const std::string timeout = std::to_string(settings.connect_timeout.count());
    // Earlier keys are overridden by the URL, which expands in place of "dbname".
    const std::array<const char *, 6> keys = {"connect_timeout", "fallback_application_name",
                                              "keepalives_idle", "dbname",
                                              "client_encoding", nullptr};
    const std::array<const char *, 6> values = {
        timeout.c_str(), "tenancyd", "30", settings.url.reveal().c_str(), "UTF8", nullptr};
    auto impl = std::make_unique<Impl>();
    impl->connection.reset(PQconnectdbParams(keys.data(), values.data(), 1));
    impl->settings = settings;
    if (PQstatus(impl->connection.get()) != CONNECTION_OK ||
        PQsetnonblocking(impl->connection.get(), 1) != 0) {
        log_event(LogLevel::error, "database_connect_failed",
                  {log_text("reason", PQerrorMessage(impl->connection.get()))});
        return nullptr;
    }
    PQsetNoticeProcessor(impl->connection.get(), ignore_notice, nullptr);
    return std::unique_ptr<Connection>(new Connection(std::move(impl)));
}

Outcome Connection::run(Statement statement, const std::vector<std::string> &parameters,
                        std::optional<std::string_view> bytes) {
    Outcome outcome = impl_->execute(statement, parameters, bytes);
    const auto *error = std::get_if<Error>(&outcome);
    if (error != nullptr && is_stale_plan(*error) && recycle())
        return impl_->execute(statement, parameters, bytes);
    return outcome;
}

// Notifications may have come with the answer to a statement, so they are looked for first.
Connection::Heard Connection::wait_for_notification(std::chrono::milliseconds patience) {
    PGconn *connection = impl_->connection.get();
    if (!impl_->take_notifications()) {
        (void)wait_for(PQsocket(connection), false, Clock::now() + patience);
        if (PQconsumeInput(connection) != 1 || PQstatus(connection) != CONNECTION_OK) {
            impl_->broken = true;
            return Heard::end;
        }
        if (!impl_->take_notifications())
            return Heard::nothing;
    }
    return Heard::notification;
}

bool Connection::is_usable() {
    if (impl_->broken || PQstatus(impl_->connection.get()) != CONNECTION_OK)
        return false;
    // Nothing may arrive on an idle connection but its end (or a notice before it).
    pollfd entry{PQsocket(impl_->connection.get()), POLLIN, 0};
    return poll(&entry, 1, 0) == 0;
}

bool Connection::recycle() {
    PGconn *connection = impl_->connection.get();
    if (impl_->broken || PQstatus(connection) != CONNECTION_OK ||
        PQtransactionStatus(connection) != PQTRANS_IDLE)
        return false;
    if (!impl_->doubtful)
        return true;
    impl_->prepared = {};
    const Outcome outcome = impl_->finish(PQsendQuery(connection, "DISCARD ALL") == 1);
    impl_->doubtful = false;
    return std::holds_alternative<Rows>(outcome) && !impl_->broken;
}

} // namespace tenancy::server::db
