// flood.cpp: sends tokens as fast as one connection takes them, and says what each cost the server.
//
//   flood SECONDS refused|accepted      "NAME TOKEN" on standard input, one a line
//     Sends each for SECONDS and prints "NAME REQUESTS MICROSECONDS": the processor time of its
//     backend per request. Another answer than the given one is an error.
//     The token "-" stands for a statement that PostgreSQL itself refuses: the floor.
//
// The server is found through libpq's environment, on this machine.
#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

#include <libpq-fe.h>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kBatch = 50;

struct Close {
    void operator()(PGconn *connection) const { PQfinish(connection); }
    void operator()(PGresult *result) const { PQclear(result); }
};
using Connection = std::unique_ptr<PGconn, Close>;
using Result = std::unique_ptr<PGresult, Close>;

void demand(bool truth, const std::string &problem) {
    if (!truth)
        throw std::runtime_error(problem);
}

Connection connect() {
    Connection connection(PQconnectdb(""));
    demand(PQstatus(connection.get()) == CONNECTION_OK, PQerrorMessage(connection.get()));
    for (const auto &[name, text] : {std::pair{"token", "SELECT tenancy.set_tenant_from_jwt($1)"},
                                     std::pair{"floor", "SELECT 1 / length($1)"}}) {
        const Result result(PQprepare(connection.get(), name, text, 0, nullptr));
        demand(PQresultStatus(result.get()) == PGRES_COMMAND_OK, PQerrorMessage(connection.get()));
    }
    demand(PQenterPipelineMode(connection.get()) == 1, "no pipeline mode");
    return connection;
}

// Nanoseconds on a processor, as the kernel counts them: the load of others does not matter.
long long processor_time(int pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/schedstat");
    long long nanoseconds = 0;
    demand(static_cast<bool>(file >> nanoseconds), "this kernel does not count processor time");
    return nanoseconds;
}

void take_answer(PGconn *connection, ExecStatusType wanted) {
    const Result answer(PQgetResult(connection));
    demand(PQresultStatus(answer.get()) == wanted,
           "unexpected answer: " + std::string(PQresultErrorMessage(answer.get())));
    demand(PQgetResult(connection) == nullptr, "more than one answer");
    const Result end(PQgetResult(connection));
    demand(PQresultStatus(end.get()) == PGRES_PIPELINE_SYNC, "no end of a request");
}

// Sends a batch, each request a transaction of its own, and takes the answers.
void send_batch(PGconn *connection, const std::string &token, ExecStatusType wanted) {
    const bool is_floor = token == "-";
    const char *values[] = {is_floor ? "" : token.c_str()};
    for (int i = 0; i < kBatch; ++i) {
        const int sent = PQsendQueryPrepared(connection, is_floor ? "floor" : "token", 1, values,
                                             nullptr, nullptr, 0);
        demand(sent == 1 && PQpipelineSync(connection) == 1, PQerrorMessage(connection));
    }
    for (int i = 0; i < kBatch; ++i)
        take_answer(connection, wanted);
}

void flood(PGconn *connection, std::chrono::duration<double> time, ExecStatusType wanted) {
    std::string name;
    std::string token;
    while (std::cin >> name >> token) {
        send_batch(connection, token, wanted); // plans, and what is cached
        long long requests = 0;
        const long long before = processor_time(PQbackendPID(connection));
        for (const auto end = Clock::now() + time; Clock::now() < end; requests += kBatch)
            send_batch(connection, token, wanted);
        const long long spent = processor_time(PQbackendPID(connection)) - before;
        std::cout << name << ' ' << requests << ' '
                  << static_cast<double>(spent) / 1000.0 / static_cast<double>(requests)
                  << std::endl;
    }
}

} // namespace

int main(int argc, char **argv) try {
    demand(argc == 3, "usage: flood SECONDS refused|accepted");
    const Connection connection = connect();
    flood(connection.get(), std::chrono::duration<double>(std::stod(argv[1])),
          std::string(argv[2]) == "refused" ? PGRES_FATAL_ERROR : PGRES_TUPLES_OK);
    return 0;
} catch (const std::exception &problem) {
    std::cerr << problem.what() << '\n';
    return 1;
}
