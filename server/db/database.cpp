#include "database.hpp"

#include <algorithm>
#include <charconv>
#include <thread>

#include "../log.hpp"

namespace tenancy::server::db {

namespace {

std::string text_of(const Row &row, std::size_t column) {
    return column < row.columns.size() ? row.columns[column].value_or("") : "";
}

// A row that is not an answer is a broken installation, not a client's mistake.
std::variant<Answer, Error> to_answer(Outcome outcome) {
    if (auto *error = std::get_if<Error>(&outcome))
        return std::move(*error);
    const Rows &rows = std::get<Rows>(outcome);
    Answer answer;
    const std::string status = rows.empty() ? "" : text_of(rows.front(), 0);
    std::from_chars(status.data(), status.data() + status.size(), answer.status);
    if (rows.size() != 1 || answer.status < 200 || answer.status > 599)
        return Error{"XX000", "unexpected result of a route function", "", ""};
    answer.headers = text_of(rows.front(), 1);
    answer.body = text_of(rows.front(), 2);
    answer.tenant = text_of(rows.front(), 3);
    answer.subject = text_of(rows.front(), 4);
    answer.counted = text_of(rows.front(), 5) == "t";
    return answer;
}

} // namespace

ConnectionSettings settings_of(const StorageConfig &storage, const Secret &url) {
    return {url, storage.acquire_timeout, storage.statement_timeout, storage.prepare_statements};
}

Database::Database(const StorageConfig &storage)
    : acquire_timeout_(storage.acquire_timeout),
      pool_(storage.pool_size, [settings = settings_of(storage, storage.database_url)] {
          return Connection::open(settings);
      }) {}

Outcome Database::run(Statement statement, const std::vector<std::string> &parameters,
                      std::optional<std::string_view> bytes) {
    const auto lease = pool_.acquire(acquire_timeout_);
    if (!lease)
        return Error{};
    return lease->run(statement, parameters, bytes);
}

std::variant<Answer, Error> Database::call(std::string_view route, std::string_view token,
                                           const std::string &body, const std::string &request,
                                           std::optional<std::string_view> content) {
    return to_answer(run(content ? Statement::upload : Statement::call,
                         {std::string(route), std::string(token), body, request}, content));
}

std::variant<std::string, Error>
Database::shared_rate(std::string_view route, std::string_view token, const std::string &body) {
    Outcome outcome = run(Statement::shared_rate, {std::string(route), std::string(token), body});
    if (auto *error = std::get_if<Error>(&outcome))
        return std::move(*error);
    const Rows &rows = std::get<Rows>(outcome);
    return rows.size() == 1 ? text_of(rows.front(), 0) : "";
}

std::variant<Answer, Error> Database::end_turn(const std::string &ticket, const std::string &result,
                                               std::chrono::milliseconds patience) {
    using Clock = std::chrono::steady_clock;
    const auto deadline = Clock::now() + patience;
    auto pause = std::chrono::milliseconds(50);
    for (;;) {
        auto answer = to_answer(run(Statement::end_turn, {ticket, result}));
        const auto *error = std::get_if<Error>(&answer);
        // Lost connections, shutdowns, serialization failures and deadlocks pass; the rest does
        // not.
        const bool passing =
            error != nullptr &&
            (error->sqlstate.empty() || error->sqlstate.rfind("57", 0) == 0 ||
             error->sqlstate.rfind("40", 0) == 0 || error->sqlstate.rfind("53", 0) == 0);
        if (!passing || Clock::now() + pause >= deadline)
            return answer;
        std::this_thread::sleep_for(pause);
        pause = std::min(pause * 2, std::chrono::milliseconds(1000));
    }
}

Metered Database::meter_turn(const std::string &ticket, long long output_tokens) {
    const Outcome outcome = run(Statement::meter, {ticket, std::to_string(output_tokens)});
    const auto *rows = std::get_if<Rows>(&outcome);
    if (rows == nullptr || rows->size() != 1)
        return Metered::unknown;
    return text_of(rows->front(), 0) == "t" ? Metered::go_on : Metered::stop;
}

std::variant<SignedIn, Error> Database::sign_in(std::string_view token) {
    return who(Statement::sign_in, token);
}

std::variant<SignedIn, Error> Database::check_token(std::string_view token) {
    return who(Statement::check_token, token);
}

std::variant<SignedIn, Error> Database::who(Statement statement, std::string_view token) {
    Outcome outcome = run(statement, {std::string(token)});
    if (auto *error = std::get_if<Error>(&outcome))
        return std::move(*error);
    const Rows &rows = std::get<Rows>(outcome);
    if (rows.size() != 1 || !rows.front().columns.front())
        return Error{"XX000", "unexpected result of a sign-in", "", ""};
    return SignedIn{text_of(rows.front(), 0), text_of(rows.front(), 1)};
}

bool Database::is_ready() {
    const Outcome outcome = run(Statement::ready, {});
    const auto *rows = std::get_if<Rows>(&outcome);
    return rows != nullptr && rows->size() == 1;
}

} // namespace tenancy::server::db
