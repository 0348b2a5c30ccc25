// client.cpp: load for the proof of rates and budgets. Many sessions of the application's role
// begin and end turns, give up at every point where one can give up, and lose their server.
//
//   client race CLIENTS LOG                       rounds on standard input: NAME CLIENTS TOKEN
//     In each round all clients start at once, begin turns until one is refused, then end them.
//     Prints "NAME ADMITTED PEAK": how many turns there were, and how many at one time.
//   client load CLIENTS SECONDS LOG KINDS [SESSIONS]     tokens on standard input, one a line
//     KINDS is a list like settle,settle,abort: what a client does with a turn, chosen at random.
//     With SESSIONS > 0 each turn belongs to one of so many sessions of the tenant.
//
// Every turn may use 100 output tokens. The server is found through libpq's environment.
#include "session.hpp"

#include <algorithm>
#include <barrier>
#include <functional>
#include <iostream>
#include <random>
#include <sstream>
#include <thread>

#include <unistd.h>

namespace torture {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int kTurnTokens = 100;
constexpr long kTooMany = 300;  // turns of a round, when nothing refuses them
constexpr auto kPatience = 60s; // how long a settle is retried after the load is over

constexpr const char *kBegin =
    "SELECT r.status, r.body ->> 'ticket', r.body ->> 'turn_id', r.body #>> '{error,code}'"
    " FROM agent.begin_turn($1, $2::jsonb) AS r";
constexpr const char *kEnd =
    "SELECT r.status, r.body ->> 'repeated' FROM agent.end_turn($1, $2::jsonb) AS r";

struct Turn {
    std::string ticket, turn_id;
};

struct Round {
    std::string name;
    int clients = 0;
    std::string token;
    std::atomic<long> admitted{0}, running{0}, peak{0};
};

std::string result_of(const std::string &status, int output_tokens) {
    return R"({"status": ")" + status +
           R"(", "model": "m", "message": {"role": "assistant", "content": "y"}, "usage": )"
           R"({"prompt_tokens": 5, "completion_tokens": )" +
           std::to_string(output_tokens) + "}}";
}

// A crash, a restart, a promotion, a timeout or a counter that must be rebuilt: ask again.
bool is_passing(const std::string &state) {
    return state.starts_with("08") || state.starts_with("57") || state == "PT503" ||
           state == "25006"; // still a standby
}

class Client {
public:
    Client(Log &log, const std::string &instance_id, unsigned seed)
        : log_(log), session_(log, "regress_app", instance_id), random_(seed) {}

    void connect() { (void)session_.ask("SELECT 1"); }
    int below(int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random_); }

    // Begins a turn; what came of it when that is no turn is left in refusal().
    bool begin(const std::string &token, Turn &turn) {
        return admitted(session_.ask(kBegin, {token, request()}), turn);
    }
    const std::string &refusal() const { return refusal_; }

    // Ends the turn, however often it takes, and logs the acknowledged charge.
    void settle(const Turn &turn, int output_tokens, const std::string &status = "ok") {
        const auto give_up = Clock::now() + kPatience;
        for (;;) {
            const Answer answer =
                session_.ask(kEnd, {turn.ticket, result_of(status, output_tokens)});
            if (answer.ok() && answer.fields.at(0) == "200")
                return log_.write("charge", turn.turn_id + " " + std::to_string(output_tokens));
            if (answer.ok())
                return log_.write("wrong", "end_turn answered " + answer.fields.at(0));
            note(answer.state, "end_turn");
            if (!is_passing(answer.state) || Clock::now() > give_up)
                return log_.write("doubt", turn.turn_id);
            std::this_thread::sleep_for(std::chrono::milliseconds(5 + below(50)));
        }
    }

    void act(const std::string &kind, const std::string &token, int sessions);

private:
    std::string request() const {
        return R"({"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "x"}])" +
               (conversation_.empty() ? "" : R"(, "session_id": ")" + conversation_ + "\"") + "}";
    }

    bool admitted(const Answer &answer, Turn &turn) {
        if (!answer.ok()) {
            refusal_ = answer.state;
            note(answer.state, "begin_turn");
            return false;
        }
        refusal_ = answer.fields.at(0) == "200" ? "" : answer.fields.at(3);
        log_.count(refusal_.empty() ? "begun" : refusal_);
        turn = {answer.fields.at(1), answer.fields.at(2)};
        return refusal_.empty();
    }

    void note(const std::string &state, const std::string &where) {
        if (state.starts_with("08") || state.starts_with("57") || state == "25006" ||
            state == "25P02") // what comes after in the same transaction
            log_.count("interrupted");
        else if (state == "PT503")
            log_.count("not_ready");
        else
            log_.write("error", state + " " + where);
    }

    bool ran(const char *sql) { return session_.ask(sql).ok(); }

    void with_timeout(const std::string &token);
    void roll_back(const std::string &token);
    void roll_back_to_savepoint(const std::string &token);
    void end_and_roll_back(const std::string &token);
    void prepare(const std::string &token);
    void fail_at_commit(const std::string &token);
    void several_in_one(const std::string &token);
    void cancel(const std::string &token);
    void settle_twice(const Turn &turn);
    void meter(const Turn &turn);
    void run_and_settle(const Turn &turn);

    Log &log_;
    Session session_;
    std::mt19937 random_;
    std::string refusal_, conversation_;
};

void Client::with_timeout(const std::string &token) {
    Turn turn;
    if (!session_
             .ask("SELECT set_config('statement_timeout', $1, false)",
                  {std::to_string(1 + below(8)) + "ms"})
             .ok())
        return;
    if (begin(token, turn))
        (void)session_.ask(kEnd, {turn.ticket, result_of("ok", kTurnTokens)});
    (void)ran("RESET statement_timeout");
    if (!turn.ticket.empty())
        settle(turn, kTurnTokens);
}

void Client::roll_back(const std::string &token) {
    Turn turn;
    if (ran("BEGIN")) {
        (void)begin(token, turn);
        (void)ran("ROLLBACK");
    }
}

void Client::roll_back_to_savepoint(const std::string &token) {
    Turn undone, turn;
    if (!ran("BEGIN") || !ran("SAVEPOINT s"))
        return;
    (void)begin(token, undone);
    if (!ran("ROLLBACK TO s") || !begin(token, turn)) {
        (void)ran("ROLLBACK");
        return;
    }
    if (ran("COMMIT")) // when the answer to COMMIT is lost, the turn is an orphan, if it is there
        settle(turn, below(kTurnTokens + 1));
}

void Client::end_and_roll_back(const std::string &token) {
    Turn turn;
    if (!begin(token, turn))
        return;
    if (ran("BEGIN")) {
        (void)session_.ask(kEnd, {turn.ticket, result_of("ok", kTurnTokens)});
        (void)ran("ROLLBACK");
    }
    settle(turn, below(kTurnTokens + 1));
}

void Client::prepare(const std::string &token) {
    Turn turn;
    if (!ran("BEGIN"))
        return;
    const bool is_held = begin(token, turn);
    const Answer answer = session_.ask("PREPARE TRANSACTION 'turn'");
    if (is_held && answer.ok())
        log_.write("wrong", "a transaction with a hold was prepared");
    (void)ran(answer.ok() ? "ROLLBACK PREPARED 'turn'" : "ROLLBACK");
}

// A deferred constraint fails after everything else has gone well.
void Client::fail_at_commit(const std::string &token) {
    Turn turn;
    if (!ran("CREATE TEMP TABLE IF NOT EXISTS once (i int UNIQUE DEFERRABLE INITIALLY DEFERRED)") ||
        !ran("BEGIN"))
        return;
    if (begin(token, turn) && ran("INSERT INTO once VALUES (1), (1)") && ran("COMMIT"))
        log_.write("wrong", "a deferred constraint was not checked");
    (void)ran("ROLLBACK");
}

// Turns that begin and end in one transaction, which then happens or not.
void Client::several_in_one(const std::string &token) {
    Turn turn;
    if (!ran("BEGIN"))
        return;
    for (int i = 0; i < 3 && begin(token, turn); i++)
        (void)session_.ask(kEnd, {turn.ticket, result_of("ok", below(kTurnTokens + 1))});
    (void)ran(below(2) == 0 ? "COMMIT" : "ROLLBACK");
}

void Client::cancel(const std::string &token) {
    Turn turn;
    const std::chrono::microseconds delay(below(6000));
    if (admitted(session_.ask_and_cancel(kBegin, {token, request()}, delay), turn)) {
        (void)session_.ask_and_cancel(kEnd, {turn.ticket, result_of("ok", 50)}, delay);
        settle(turn, 50);
    }
}

void Client::settle_twice(const Turn &turn) {
    settle(turn, kTurnTokens);
    const Answer again = session_.ask(kEnd, {turn.ticket, result_of("ok", kTurnTokens / 2)});
    if (again.ok() && again.fields.at(1) != "true")
        log_.write("wrong", "a second end_turn was not a repetition");
}

void Client::meter(const Turn &turn) {
    const int produced = below(kTurnTokens);
    (void)session_.ask("SELECT agent.meter_turn($1, $2)", {turn.ticket, std::to_string(produced)});
    settle(turn, produced + below(kTurnTokens - produced + 1));
}

void Client::run_and_settle(const Turn &turn) {
    log_.track(1);
    std::this_thread::sleep_for(20ms);
    log_.track(-1);
    settle(turn, kTurnTokens);
}

void Client::act(const std::string &kind, const std::string &token, int sessions) {
    using Step = void (Client::*)(const std::string &);
    static const std::map<std::string, Step> steps = {
        {"rollback", &Client::roll_back},         {"savepoint", &Client::roll_back_to_savepoint},
        {"unsettle", &Client::end_and_roll_back}, {"prepare", &Client::prepare},
        {"deferred", &Client::fail_at_commit},    {"several", &Client::several_in_one},
        {"timeout", &Client::with_timeout},       {"cancel", &Client::cancel}};
    conversation_ = sessions > 0 ? "s" + std::to_string(below(sessions)) : "";
    Turn turn;
    if (const auto step = steps.find(kind); step != steps.end())
        return (this->*step->second)(token);
    if (!begin(token, turn)) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5 + below(20)));
        return;
    }
    if (kind == "settle")
        settle(turn, below(kTurnTokens + 1));
    else if (kind == "abort")
        settle(turn, below(kTurnTokens + 1), "aborted");
    else if (kind == "twice")
        settle_twice(turn);
    else if (kind == "meter")
        meter(turn);
    else if (kind == "run")
        run_and_settle(turn);
    else if (kind != "leave")
        log_.write("wrong", "there is no kind " + kind);
}

void run_round(Client &client, Round &round, std::barrier<> &start, std::barrier<> &all_tried) {
    std::vector<Turn> turns;
    Turn turn;
    start.arrive_and_wait();
    while (round.running < kTooMany && client.begin(round.token, turn)) {
        turns.push_back(turn);
        const long running = ++round.running;
        for (long peak = round.peak; peak < running;)
            if (round.peak.compare_exchange_weak(peak, running))
                break;
    }
    round.admitted += static_cast<long>(turns.size());
    all_tried.arrive_and_wait();
    round.running -= static_cast<long>(turns.size());
    for (const Turn &mine : turns)
        client.settle(mine, kTurnTokens);
}

int race(int clients, Log &log, const std::string &instance_id) {
    std::vector<std::unique_ptr<Round>> rounds;
    for (std::string line; std::getline(std::cin, line);) {
        auto round = std::make_unique<Round>();
        std::istringstream(line) >> round->name >> round->clients >> round->token;
        rounds.push_back(std::move(round));
    }
    std::barrier everyone(clients);
    std::vector<std::unique_ptr<std::barrier<>>> starts, ends;
    for (const auto &round : rounds) {
        starts.push_back(std::make_unique<std::barrier<>>(round->clients));
        ends.push_back(std::make_unique<std::barrier<>>(round->clients));
    }
    std::vector<std::jthread> threads;
    threads.reserve(static_cast<std::size_t>(clients));
    for (int i = 0; i < clients; i++)
        threads.emplace_back([&, i] {
            Client client(log, instance_id, static_cast<unsigned>(i));
            client.connect();
            for (std::size_t n = 0; n < rounds.size(); n++) {
                everyone.arrive_and_wait();
                if (i < rounds[n]->clients)
                    run_round(client, *rounds[n], *starts[n], *ends[n]);
            }
        });
    threads.clear();
    for (const auto &round : rounds)
        std::cout << round->name << ' ' << round->admitted << ' ' << round->peak << '\n';
    return 0;
}

int load(int clients, int seconds, Log &log, const std::string &instance_id,
         const std::string &kind_list, int sessions) {
    std::vector<std::string> tokens, kinds;
    for (std::string line; std::getline(std::cin, line);)
        tokens.push_back(line);
    std::istringstream list(kind_list);
    for (std::string kind; std::getline(list, kind, ',');)
        kinds.push_back(kind);
    const auto end = Clock::now() + std::chrono::seconds(seconds);
    std::vector<std::jthread> threads;
    threads.reserve(static_cast<std::size_t>(clients));
    for (int i = 0; i < clients; i++)
        threads.emplace_back([&, i] {
            Client client(log, instance_id, static_cast<unsigned>(i));
            const std::string &token = tokens[static_cast<std::size_t>(i) % tokens.size()];
            while (Clock::now() < end) {
                const int choice = client.below(static_cast<int>(kinds.size()));
                client.act(kinds[static_cast<std::size_t>(choice)], token, sessions);
            }
        });
    threads.clear();
    log.print_counts();
    return 0;
}

int run(const std::vector<std::string> &arguments) {
    const bool is_load = arguments.at(0) == "load";
    const std::string instance_id = "torture-" + std::to_string(getpid());
    Log log(arguments.at(is_load ? 3 : 2));
    const std::jthread keeper(
        [&](const std::stop_token &is_over) { keep_instance(is_over, log, instance_id); });
    const std::jthread sweeper([&](const std::stop_token &is_over) { sweep(is_over, log); });
    const int clients = std::stoi(arguments.at(1));
    const int sessions = is_load && arguments.size() > 5 ? std::stoi(arguments[5]) : 0;
    if (!is_load)
        return race(clients, log, instance_id);
    return load(clients, std::stoi(arguments.at(2)), log, instance_id, arguments.at(4), sessions);
}

} // namespace

} // namespace torture

int main(int argc, char **argv) {
    try {
        return torture::run({argv + 1, argv + argc});
    } catch (const std::exception &error) {
        std::cerr << "client: " << error.what() << '\n';
        return 2;
    }
}
