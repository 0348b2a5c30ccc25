// Accepts connections and hands each request that has arrived to a fixed set of threads through a
// bounded queue. When the queue is full the request is answered 503 at once instead of waiting
// without end.
//
// One loop watches every connection that waits: for its first byte, for the rest of a request, for
// the end of a TLS handshake, for the peer to close. So whoever is slow or idle costs a descriptor
// and some memory, never a thread. When all connections are taken, who has been slow for longest
// makes room, then who is idle.
//
// The design limit: a request holds its thread while it is worked on, a streamed turn for its whole
// life. threads bounds the streams, queue bounds the wait.
#pragma once

#include <poll.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "address_count.hpp"
#include "config.hpp"
#include "socket.hpp"

namespace tenancy::server {

struct Connection {
    using Time = std::chrono::steady_clock::time_point;
    enum class State { idle, receiving, closing };

    Connection(int descriptor, const LimitsConfig &limits, TlsSession tls, AddressKey from)
        : socket(descriptor, limits.write_timeout, std::move(tls)), address(from) {}

    Socket socket;
    const AddressKey address;
    bool is_counted = true; // for its address
    State state = State::idle;
    Time since{};    // in this state
    Time deadline{}; // for it
    std::size_t served = 0;
};

class Acceptor {
public:
    /// `serve` works on one request or more and must not throw; false: it is to be closed.
    /// `on_shed` is told of each refusal.
    Acceptor(const LimitsConfig &limits, std::function<bool(Connection &)> serve,
             std::function<void()> on_shed);
    ~Acceptor();
    Acceptor(const Acceptor &) = delete;
    Acceptor &operator=(const Acceptor &) = delete;
    Acceptor(Acceptor &&) = delete;
    Acceptor &operator=(Acceptor &&) = delete;

    /// Binds and listens; an empty result is success, otherwise what went wrong.
    std::string listen(const std::string &host, int port);
    /// From now on new connections speak TLS with this.
    void set_tls(TlsContext context) { tls_.replace(std::move(context)); }
    /// Starts the threads.
    void start();
    /// Closes the listening socket and who is idle; what has begun to arrive is still served.
    void stop_accepting();
    /// True once no connection is left; false when `deadline` came first.
    bool wait_idle(std::chrono::steady_clock::time_point deadline);
    /// Closes who is still sending a request.
    void cut();

    bool is_stopping() const { return is_stopping_; }
    std::size_t waiting() const { return waiting_; }
    std::size_t busy() const { return busy_; }
    /// The most that is collected of a request before a thread takes it.
    std::size_t most_collected() const { return limits_.max_header_bytes + kMaxAwaitedBody; }

private:
    using Clock = std::chrono::steady_clock;
    using Pointer = std::unique_ptr<Connection>;
    enum class Fate { stays, is_served, ends };

    void loop();
    std::vector<pollfd> watched() const;
    void attend_all(const std::vector<pollfd> &entries);
    void attend(Pointer connection, bool has_news);
    Fate fate_of(Connection &one, bool has_news) const;
    void hand_over(Pointer connection);
    void shed(Pointer connection);
    void take_back();
    void accept_some();
    void admit(int descriptor, const sockaddr_storage &peer);
    bool make_room();
    void drop(Pointer connection);
    void work();
    void wake() const;
    void join();

    const LimitsConfig limits_;
    const std::function<bool(Connection &)> serve_;
    const std::function<void()> on_shed_;
    LiveTls tls_;
    int listener_ = -1;
    int wake_ = -1; // eventfd: ends the loop's poll
    std::atomic<bool> is_stopping_{false};
    std::atomic<bool> is_cutting_{false};
    std::atomic<bool> is_ending_{false};
    std::atomic<std::size_t> waiting_{0};
    std::atomic<std::size_t> busy_{0};
    std::mutex mutex_;
    std::condition_variable came_;
    std::condition_variable idle_;
    std::deque<Pointer> ready_;     // a request each, for the threads
    std::vector<Pointer> returned_; // from the threads
    std::size_t open_ = 0;          // connections in all, wherever they are
    bool is_deaf_ = true;           // nobody new can come: not started, or stopped
    std::vector<Pointer> parked_;   // touched by the loop only, as is addresses_
    AddressCount addresses_;
    std::vector<std::thread> workers_;
    std::thread looping_;
};

} // namespace tenancy::server
