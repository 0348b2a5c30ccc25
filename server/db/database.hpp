// What the server asks of the database: a few questions, each one round trip on a leased
// connection.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <variant>

#include "../config.hpp"
#include "connection.hpp"
#include "pool.hpp"

namespace tenancy::server::db {

/// The answer of a SQL route, passed through as the database gave it.
struct Answer {
    int status = 500;
    std::string headers; // JSON object text or empty
    std::string body;    // JSON text or empty
    std::string tenant;
    std::string subject;
    bool counted = false; // against the rates; of agent.call only
};

struct SignedIn {
    std::string tenant;
    std::string subject;
};

enum class Metered { go_on, stop, unknown };

/// The settings of a connection to this URL, the rest as configured.
ConnectionSettings settings_of(const StorageConfig &storage, const Secret &url);

class Database {
public:
    explicit Database(const StorageConfig &storage);

    /// agent.call: everything but the end of a turn. `body` and `request` are JSON texts, `content`
    /// the bytes of an upload.
    std::variant<Answer, Error> call(std::string_view route, std::string_view token,
                                     const std::string &body, const std::string &request,
                                     std::optional<std::string_view> content = {});

    /// agent.shared_rate: what a call of this route must take from a limiter outside of the
    /// database first, as JSON text; empty for nothing.
    std::variant<std::string, Error> shared_rate(std::string_view route, std::string_view token,
                                                 const std::string &body);

    /// agent.end_turn, repeated with growing pauses while the connection is lost, for at most
    /// `patience`: the ticket makes repetition harmless.
    std::variant<Answer, Error> end_turn(const std::string &ticket, const std::string &result,
                                         std::chrono::milliseconds patience);

    /// Records the progress of a running turn; unknown when the database cannot be asked.
    Metered meter_turn(const std::string &ticket, long long output_tokens);

    /// Verifies a token; nothing else.
    std::variant<SignedIn, Error> sign_in(std::string_view token);

    /// The same before the request itself: a token that counts once still counts.
    std::variant<SignedIn, Error> check_token(std::string_view token);

    /// True when the database answers and the extension is installed in it.
    bool is_ready();

    std::size_t connections_in_use() const { return pool_.in_use(); }
    /// Threads that wait for a connection.
    std::size_t waiting() const { return pool_.waiting(); }
    std::size_t pool_size() const { return pool_.size(); }

private:
    std::variant<SignedIn, Error> who(Statement statement, std::string_view token);
    Outcome run(Statement statement, const std::vector<std::string> &parameters,
                std::optional<std::string_view> bytes = {});

    std::chrono::milliseconds acquire_timeout_;
    Pool<Connection> pool_;
};

} // namespace tenancy::server::db
