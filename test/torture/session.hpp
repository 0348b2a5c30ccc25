// One libpq connection of the load client that comes back after a crash of the server, and the log
// that the checks compare with the ledger.
#pragma once

#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include <libpq-fe.h>

namespace torture {

/// What the server said to one statement: the fields of its first row, or an SQLSTATE.
struct Answer {
    std::string state; // empty: it succeeded. "08006": the connection is lost, the outcome unknown
    std::vector<std::string> fields;

    bool ok() const { return state.empty(); }
    bool is_lost() const { return state == "08006"; }
};

/// One line per fact: "charge TURN OUTPUT_TOKENS" once the server has acknowledged a settle,
/// "error SQLSTATE WHERE", "wrong CLAIM" for what must never happen. Counts what it writes.
class Log {
public:
    explicit Log(const std::string &path);
    ~Log();
    Log(const Log &) = delete;
    Log &operator=(const Log &) = delete;
    Log(Log &&) = delete;
    Log &operator=(Log &&) = delete;

    void write(const std::string &kind, const std::string &rest);
    void count(const std::string &kind);
    void print_counts();

    /// Turns of which the client knows that they run, and the most there were.
    void track(long change);

private:
    std::mutex mutex_;
    std::FILE *file_;
    std::map<std::string, long> counts_;
    long running_ = 0, peak_ = 0;
};

/// A connection to the cluster that the libpq environment names.
class Session {
public:
    Session(Log &log, std::string role, std::string instance_id);

    /// Connects first if need be. Never throws; a lost connection is an answer.
    Answer ask(const char *sql, const std::vector<std::string> &parameters = {});

    /// The same, but sends a cancel request after a delay.
    Answer ask_and_cancel(const char *sql, const std::vector<std::string> &parameters,
                          std::chrono::microseconds delay);

private:
    struct Finish {
        void operator()(PGconn *connection) const { PQfinish(connection); }
    };

    bool is_connected();
    bool send(const char *sql, const std::vector<std::string> &parameters);
    Answer receive();

    Log &log_;
    std::string role_, instance_id_;
    std::unique_ptr<PGconn, Finish> connection_;
};

/// Holds the lock that says this instance is alive, as a server does, and takes it again after a
/// crash.
void keep_instance(const std::stop_token &is_over, Log &log, const std::string &instance_id);

/// Sweeps all the time, as another server would: what it finds are turns of instances that are
/// gone.
void sweep(const std::stop_token &is_over, Log &log);

} // namespace torture
