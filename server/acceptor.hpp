// Accepts connections and hands them to a fixed set of threads through a bounded queue. When the
// queue is full a connection is answered 503 at once instead of waiting without end.
//
// The design limit: a connection holds its thread while it is served, a streamed turn for its whole
// life. threads bounds the streams, queue bounds the wait.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace tenancy::server {

class Acceptor {
public:
    /// `serve` owns the descriptor it gets and must not throw; `on_shed` is told of each refusal.
    Acceptor(std::size_t threads, std::size_t queue, std::function<void(int)> serve,
             std::function<void()> on_shed);
    ~Acceptor();
    Acceptor(const Acceptor &) = delete;
    Acceptor &operator=(const Acceptor &) = delete;
    Acceptor(Acceptor &&) = delete;
    Acceptor &operator=(Acceptor &&) = delete;

    /// Binds and listens; an empty result is success, otherwise what went wrong.
    std::string listen(const std::string &host, int port);
    /// Starts the threads.
    void start();
    /// Closes the listening socket; what was accepted is still served.
    void stop_accepting();
    /// True once nothing is queued or served; false when `deadline` came first.
    bool wait_idle(std::chrono::steady_clock::time_point deadline);

    bool is_stopping() const { return is_stopping_; }
    std::size_t waiting() const { return waiting_; }
    std::size_t busy() const { return busy_; }

private:
    struct Lingering {
        int descriptor;
        std::chrono::steady_clock::time_point until;
    };

    void accept_loop();
    void accept_one();
    void work();
    bool enqueue(int descriptor);
    void shed(int descriptor);
    void drain_lingering();
    void join();

    const std::size_t threads_;
    const std::size_t queue_;
    const std::function<void(int)> serve_;
    const std::function<void()> on_shed_;
    int listener_ = -1;
    int wake_ = -1; // eventfd: ends the accept loop's poll
    std::atomic<bool> is_stopping_{false};
    std::atomic<std::size_t> waiting_{0};
    std::atomic<std::size_t> busy_{0};
    std::mutex mutex_;
    std::condition_variable came_;
    std::condition_variable idle_;
    std::deque<int> accepted_;
    std::vector<Lingering> lingering_; // touched by the accept loop only
    std::vector<std::thread> workers_;
    std::thread accepting_;
};

} // namespace tenancy::server
