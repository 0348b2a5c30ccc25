#include "acceptor.hpp"

#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace tenancy::server {

namespace {

using State = Connection::State;

constexpr int kBacklog = 512;
constexpr int kAcceptsPerPass = 64;
constexpr std::size_t kMaxRefused = 64; // connections above the limit that still read their answer
constexpr std::chrono::milliseconds kLingerTime{500};
// When all connections are taken, nobody who is younger than this has to go.
constexpr std::chrono::milliseconds kGrace{1000};

constexpr std::string_view kBusyAnswer =
    "HTTP/1.1 503 Service Unavailable\r\n"
    "Content-Type: application/json\r\n"
    "Retry-After: 1\r\n"
    "Cache-Control: no-store\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Connection: close\r\n"
    "Content-Length: 150\r\n"
    "\r\n"
    R"({"detail":"the server is busy; try again","error":{"message":"the server is busy; )"
    R"(try again","type":"server_error","param":null,"code":"unavailable"}})";

constexpr std::string_view kPlainHttpAnswer =
    "HTTP/1.1 400 Bad Request\r\n"
    "Content-Type: application/json\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Connection: close\r\n"
    "Content-Length: 161\r\n"
    "\r\n"
    R"({"detail":"this port speaks https only","error":{"message":"this port speaks https only",)"
    R"("type":"invalid_request_error","param":null,"code":"malformed_request"}})";

constexpr std::size_t body_size(std::string_view answer) {
    return answer.size() - answer.find("\r\n\r\n") - 4;
}
static_assert(body_size(kBusyAnswer) == 150, "Content-Length above must match");
static_assert(body_size(kPlainHttpAnswer) == 161, "Content-Length above must match");

int open_listener(const addrinfo &address) {
    const int descriptor = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return -1;
    const int yes = 1;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(descriptor, address.ai_addr, address.ai_addrlen) == 0 &&
        ::listen(descriptor, kBacklog) == 0)
        return descriptor;
    const int reason = errno;
    close(descriptor);
    errno = reason;
    return -1;
}

void begin_closing(Connection &connection, std::string_view answer) {
    connection.socket.send_now(answer);
    connection.socket.finish();
    connection.state = State::closing;
    connection.since = std::chrono::steady_clock::now();
    connection.deadline = connection.since + kLingerTime;
}

} // namespace

Acceptor::Acceptor(const LimitsConfig &limits, std::function<bool(Connection &)> serve,
                   std::function<void()> on_shed)
    : limits_(limits), serve_(std::move(serve)), on_shed_(std::move(on_shed)),
      addresses_(limits.connections_per_address) {}

Acceptor::~Acceptor() {
    stop_accepting();
    join();
    if (listener_ >= 0)
        close(listener_);
    if (wake_ >= 0)
        close(wake_);
}

std::string Acceptor::listen(const std::string &host, int port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo *found = nullptr;
    if (const int code = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
        code != 0)
        return "cannot resolve " + host + ": " + gai_strerror(code);
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, freeaddrinfo);
    for (const addrinfo *address = found; address != nullptr && listener_ < 0;
         address = address->ai_next)
        listener_ = open_listener(*address);
    if (listener_ < 0)
        return "cannot listen on " + host + ":" + std::to_string(port) + ": " + strerror(errno);
    wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return wake_ < 0 ? std::string("cannot make an eventfd: ") + strerror(errno) : "";
}

void Acceptor::start() {
    is_deaf_ = false;
    for (std::size_t i = 0; i < limits_.threads; ++i)
        workers_.emplace_back([this] { work(); });
    looping_ = std::thread([this] { loop(); });
}

void Acceptor::wake() const {
    const std::uint64_t one = 1;
    if (wake_ >= 0 && write(wake_, &one, sizeof one) < 0)
        return; // it is full, so the loop wakes anyway; and it looks ten times a second
}

void Acceptor::stop_accepting() {
    is_stopping_ = true;
    wake();
}

void Acceptor::cut() {
    is_cutting_ = true;
    wake();
}

bool Acceptor::wait_idle(Clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    return idle_.wait_until(lock, deadline, [&] { return is_deaf_ && open_ == 0; });
}

void Acceptor::join() {
    {
        const std::lock_guard lock(mutex_);
        is_ending_ = true;
    }
    wake();
    came_.notify_all();
    if (looping_.joinable())
        looping_.join();
    for (std::thread &worker : workers_)
        if (worker.joinable())
            worker.join();
}

void Acceptor::loop() {
    while (!is_ending_) {
        std::vector<pollfd> entries = watched();
        poll(entries.data(), entries.size(), parked_.empty() ? 500 : 100);
        std::uint64_t count = 0;
        if (entries[0].revents != 0 && read(wake_, &count, sizeof count) < 0)
            count = 0; // it was only to wake
        attend_all(entries);
        take_back();
        if (is_stopping_ && listener_ >= 0) {
            close(listener_);
            listener_ = -1;
            const std::lock_guard lock(mutex_);
            is_deaf_ = true;
            idle_.notify_all();
        }
        if (listener_ >= 0 && entries[1].revents != 0)
            accept_some();
    }
    while (!parked_.empty()) {
        drop(std::move(parked_.back()));
        parked_.pop_back();
    }
}

std::vector<pollfd> Acceptor::watched() const {
    std::vector<pollfd> entries = {{wake_, POLLIN, 0}, {listener_, POLLIN, 0}};
    entries.reserve(parked_.size() + 2);
    for (const Pointer &connection : parked_)
        entries.push_back({connection->socket.descriptor(), connection->socket.wanted_events(), 0});
    return entries;
}

// The entries after the first two are those of parked_, in its order.
void Acceptor::attend_all(const std::vector<pollfd> &entries) {
    std::vector<Pointer> before;
    before.swap(parked_);
    for (std::size_t i = 0; i < before.size(); ++i)
        attend(std::move(before[i]), entries[i + 2].revents != 0);
}

void Acceptor::attend(Pointer connection, bool has_news) {
    switch (fate_of(*connection, has_news)) {
    case Fate::stays:
        parked_.push_back(std::move(connection));
        return;
    case Fate::is_served:
        hand_over(std::move(connection));
        return;
    case Fate::ends:
        drop(std::move(connection));
        return;
    }
}

Acceptor::Fate Acceptor::fate_of(Connection &one, bool has_news) const {
    const auto now = Clock::now();
    if (one.state == State::closing)
        return (has_news && one.socket.drained()) || now >= one.deadline ? Fate::ends : Fate::stays;
    if (has_news) {
        const Arrival arrival = one.socket.collect(most_collected());
        if (arrival == Arrival::whole)
            return Fate::is_served;
        if (arrival == Arrival::gone && one.socket.spoke_plain_http()) {
            begin_closing(one, kPlainHttpAnswer);
            return Fate::stays;
        }
        if (arrival == Arrival::gone)
            return Fate::ends;
        if (one.state == State::idle && one.socket.buffered() > 0) {
            one.state = State::receiving;
            one.since = now;
            one.deadline = now + limits_.request_timeout;
        }
    }
    if (one.state == State::idle)
        return now < one.deadline && !is_stopping_ ? Fate::stays : Fate::ends;
    if (is_cutting_)
        return Fate::ends;
    return now < one.deadline ? Fate::stays : Fate::is_served; // a thread answers 408
}

void Acceptor::hand_over(Pointer connection) {
    std::unique_lock lock(mutex_);
    // An idle thread may not have taken its request yet: those places do not count.
    if (ready_.size() < limits_.queue + (limits_.threads - busy_)) {
        ready_.push_back(std::move(connection));
        waiting_ = ready_.size();
        lock.unlock();
        came_.notify_one();
        return;
    }
    lock.unlock();
    shed(std::move(connection));
}

void Acceptor::shed(Pointer connection) {
    on_shed_();
    begin_closing(*connection, kBusyAnswer);
    parked_.push_back(std::move(connection));
}

// What the threads have done with: the next request may be there already.
void Acceptor::take_back() {
    std::vector<Pointer> returned;
    {
        const std::lock_guard lock(mutex_);
        returned.swap(returned_);
    }
    for (Pointer &connection : returned) {
        const bool may_have_news = connection->state != State::closing;
        attend(std::move(connection), may_have_news);
    }
}

void Acceptor::accept_some() {
    for (int i = 0; i < kAcceptsPerPass; ++i) {
        sockaddr_storage peer{};
        socklen_t size = sizeof peer;
        const int descriptor = accept4(listener_, reinterpret_cast<sockaddr *>(&peer), &size,
                                       SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (descriptor >= 0) {
            admit(descriptor, peer);
            continue;
        }
        // Out of descriptors: the connection stays in the backlog; do not spin on it.
        if (errno == EMFILE || errno == ENFILE)
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        return;
    }
}

void Acceptor::admit(int descriptor, const sockaddr_storage &peer) {
    const int yes = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    TlsSession session = tls_.session(descriptor);
    if (session == nullptr && tls_.is_on()) { // out of memory; never plain instead
        close(descriptor);
        return;
    }
    auto connection =
        std::make_unique<Connection>(descriptor, limits_, std::move(session), address_key(peer));
    connection->is_counted = addresses_.take(connection->address);
    connection->since = Clock::now();
    connection->deadline = connection->since + limits_.keep_alive_timeout;
    std::size_t others = 0;
    {
        const std::lock_guard lock(mutex_);
        others = open_++;
    }
    if (connection->is_counted && (others < limits_.max_connections || make_room())) {
        attend(std::move(connection), true);
    } else if (others < limits_.max_connections + kMaxRefused) {
        shed(std::move(connection));
    } else {
        on_shed_();
        drop(std::move(connection));
    }
}

// Somebody who waits without having asked goes: who has had an answer and is slow to go, who is
// slow to ask, who is idle; of each kind the oldest. False: there is nobody.
bool Acceptor::make_room() {
    const auto now = Clock::now();
    const auto rank = [&](const Connection &one) {
        if (one.state == State::closing)
            return 0;
        if (one.state == State::idle && one.served > 0)
            return 2;
        return now - one.since >= kGrace ? 1 : 3;
    };
    const auto victim =
        std::min_element(parked_.begin(), parked_.end(), [&](const Pointer &a, const Pointer &b) {
            return std::pair(rank(*a), a->since) < std::pair(rank(*b), b->since);
        });
    if (victim == parked_.end() || rank(**victim) == 3)
        return false;
    if ((*victim)->state == State::receiving)
        (*victim)->socket.send_now(kBusyAnswer);
    drop(std::move(*victim));
    parked_.erase(victim);
    return true;
}

void Acceptor::drop(Pointer connection) {
    if (connection->is_counted)
        addresses_.give_back(connection->address);
    connection.reset();
    const std::lock_guard lock(mutex_);
    if (--open_ == 0)
        idle_.notify_all();
}

void Acceptor::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        came_.wait(lock, [&] { return !ready_.empty() || is_ending_; });
        if (ready_.empty())
            return;
        Pointer connection = std::move(ready_.front());
        ready_.pop_front();
        waiting_ = ready_.size();
        ++busy_;
        lock.unlock();
        if (serve_(*connection)) {
            connection->state = State::idle;
            connection->since = Clock::now();
            connection->deadline = connection->since + limits_.keep_alive_timeout;
        } else {
            begin_closing(*connection, {});
        }
        lock.lock();
        --busy_;
        returned_.push_back(std::move(connection));
        if (returned_.size() == 1) { // else the loop has been told, and has not come to look yet
            lock.unlock();
            wake();
            lock.lock();
        }
    }
}

} // namespace tenancy::server
