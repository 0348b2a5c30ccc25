#include "session.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <thread>

namespace torture {

namespace {

struct Clear {
    void operator()(PGresult *result) const { PQclear(result); }
};
using ResultPointer = std::unique_ptr<PGresult, Clear>;

struct FreeCancel {
    void operator()(PGcancel *cancel) const { PQfreeCancel(cancel); }
};

} // namespace

Log::Log(const std::string &path) : file_(std::fopen(path.c_str(), "ae")) {
    if (file_ == nullptr)
        throw std::runtime_error("cannot write " + path);
}

Log::~Log() {
    (void)std::fclose(file_);
}

void Log::write(const std::string &kind, const std::string &rest) {
    const std::scoped_lock lock(mutex_);
    counts_[kind]++;
    (void)std::fprintf(file_, "%s %s\n", kind.c_str(), rest.c_str());
    (void)std::fflush(file_);
}

void Log::count(const std::string &kind) {
    const std::scoped_lock lock(mutex_);
    counts_[kind]++;
}

void Log::print_counts() {
    const std::scoped_lock lock(mutex_);
    for (const auto &[kind, number] : counts_)
        (void)std::printf("%s=%ld ", kind.c_str(), number);
    (void)std::printf("peak=%ld\n", peak_);
}

void Log::track(long change) {
    const std::scoped_lock lock(mutex_);
    running_ += change;
    peak_ = std::max(peak_, running_);
}

Session::Session(Log &log, std::string role, std::string instance_id)
    : log_(log), role_(std::move(role)), instance_id_(std::move(instance_id)) {}

bool Session::is_connected() {
    if (connection_ != nullptr && PQstatus(connection_.get()) == CONNECTION_OK)
        return true;
    if (connection_ != nullptr)
        log_.count("lost_connections");
    // As an option of the connection: what SQL sets counts in its own transaction only.
    connection_.reset(PQconnectdb(("connect_timeout=2 user=" + role_ +
                                   " options='-c tenancy.instance_id=" + instance_id_ + "'")
                                      .c_str()));
    if (PQstatus(connection_.get()) != CONNECTION_OK) {
        connection_.reset();
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        return false;
    }
    PQsetNoticeProcessor(
        connection_.get(), [](void *, const char *) {}, nullptr);
    return true;
}

bool Session::send(const char *sql, const std::vector<std::string> &parameters) {
    std::vector<const char *> values;
    values.reserve(parameters.size());
    for (const std::string &parameter : parameters)
        values.push_back(parameter.c_str());
    return is_connected() &&
           PQsendQueryParams(connection_.get(), sql, static_cast<int>(values.size()), nullptr,
                             values.data(), nullptr, nullptr, 0) == 1;
}

Answer Session::receive() {
    Answer answer;
    while (const ResultPointer result{PQgetResult(connection_.get())}) {
        const ExecStatusType status = PQresultStatus(result.get());
        if (status == PGRES_TUPLES_OK && PQntuples(result.get()) > 0) {
            for (int i = 0; i < PQnfields(result.get()); i++)
                answer.fields.emplace_back(PQgetvalue(result.get(), 0, i));
        } else if (status == PGRES_FATAL_ERROR) {
            const char *state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
            answer.state = state == nullptr ? "08006" : state;
        }
    }
    if (PQstatus(connection_.get()) != CONNECTION_OK)
        answer.state = "08006";
    return answer;
}

Answer Session::ask(const char *sql, const std::vector<std::string> &parameters) {
    if (!send(sql, parameters))
        return {"08006", {}};
    return receive();
}

Answer Session::ask_and_cancel(const char *sql, const std::vector<std::string> &parameters,
                               std::chrono::microseconds delay) {
    if (!send(sql, parameters))
        return {"08006", {}};
    std::this_thread::sleep_for(delay);
    std::array<char, 256> why{};
    const std::unique_ptr<PGcancel, FreeCancel> cancel(PQgetCancel(connection_.get()));
    if (cancel != nullptr)
        (void)PQcancel(cancel.get(), why.data(), static_cast<int>(why.size()));
    return receive();
}

void keep_instance(const std::stop_token &is_over, Log &log, const std::string &instance_id) {
    Session session(log, "regress_maintenance", instance_id);
    while (!is_over.stop_requested()) {
        (void)session.ask("SELECT tenancy.instance_lock($1) WHERE NOT EXISTS (SELECT FROM pg_locks"
                          " WHERE locktype = 'advisory' AND pid = pg_backend_pid())",
                          {instance_id});
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
}

void sweep(const std::stop_token &is_over, Log &log) {
    Session session(log, "regress_maintenance", "");
    while (!is_over.stop_requested()) {
        (void)session.ask("SELECT agent.sweep_turns(5)");
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
}

} // namespace torture
