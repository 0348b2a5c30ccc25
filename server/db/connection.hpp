// RAII over one libpq connection. One statement at a time, each its own transaction, with a
// deadline; errors carry their SQLSTATE. The only other file that sees libpq is connection.cpp.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "../secret.hpp"
#include "queries.hpp"

namespace tenancy::server::db {

/// One row or none, in text format; a missing value is SQL NULL.
struct Row {
    std::vector<std::optional<std::string>> columns;
};
using Rows = std::vector<Row>;

struct Error {
    std::string sqlstate; // empty: the connection was lost or the deadline passed
    std::string message;  // the server's primary message
    std::string detail;
    std::string hint;
};

using Outcome = std::variant<Rows, Error>;

struct ConnectionSettings {
    Secret url;
    std::chrono::seconds connect_timeout{5};
    std::chrono::seconds statement_timeout{30};
    bool prepare_statements = true;
};

class Connection {
public:
    /// Connects, or gives nothing; the reason is logged without the connection string.
    static std::unique_ptr<Connection> open(const ConnectionSettings &settings);

    ~Connection();
    Connection(const Connection &) = delete;
    Connection &operator=(const Connection &) = delete;
    Connection(Connection &&) = delete;
    Connection &operator=(Connection &&) = delete;

    /// Runs one statement with bound text parameters and, after them, one of bytes when given.
    Outcome run(Statement statement, const std::vector<std::string> &parameters,
                std::optional<std::string_view> bytes = {});

    /// What came on this connection, which listens, within `patience`: a notification, nothing, or
    /// its end.
    enum class Heard { notification, nothing, end };
    Heard wait_for_notification(std::chrono::milliseconds patience);

    /// False when the server has closed this idle connection or left something on it; costs one
    /// poll.
    bool is_usable();

    /// Makes the connection fit for another request: nothing to do after success, after a refusal
    /// (SQLSTATE class PT) and after unusable input (class 22), because the transaction is over and
    /// with it the tenant; DISCARD ALL after any other error. False: close it.
    bool recycle();

private:
    struct Impl;
    explicit Connection(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace tenancy::server::db
