#include "acceptor.hpp"

#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

namespace tenancy::server {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kBacklog = 512;
constexpr std::size_t kMaxLingering = 64;
constexpr std::chrono::milliseconds kLingerTime{1000};

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

constexpr std::string_view kBusyBody = kBusyAnswer.substr(kBusyAnswer.find("\r\n\r\n") + 4);
static_assert(kBusyBody.size() == 150, "Content-Length above must match");

int open_listener(const addrinfo &address) {
    const int descriptor = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
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

} // namespace

Acceptor::Acceptor(std::size_t threads, std::size_t queue, std::function<void(int)> serve,
                   std::function<void()> on_shed)
    : threads_(threads), queue_(queue), serve_(std::move(serve)), on_shed_(std::move(on_shed)) {}

Acceptor::~Acceptor() {
    stop_accepting();
    join();
    for (const Lingering &entry : lingering_)
        close(entry.descriptor);
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
    wake_ = eventfd(0, EFD_CLOEXEC);
    return wake_ < 0 ? std::string("cannot make an eventfd: ") + strerror(errno) : "";
}

void Acceptor::start() {
    for (std::size_t i = 0; i < threads_; ++i)
        workers_.emplace_back([this] { work(); });
    accepting_ = std::thread([this] { accept_loop(); });
}

void Acceptor::stop_accepting() {
    if (is_stopping_.exchange(true))
        return;
    const std::uint64_t one = 1;
    if (wake_ >= 0 && write(wake_, &one, sizeof one) < 0)
        return; // an eventfd takes this write; the loop also looks at the flag twice a second
    if (accepting_.joinable())
        accepting_.join();
    const std::lock_guard lock(mutex_);
    came_.notify_all();
}

bool Acceptor::wait_idle(Clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    return idle_.wait_until(lock, deadline, [&] { return accepted_.empty() && busy_ == 0; });
}

void Acceptor::join() {
    if (accepting_.joinable())
        accepting_.join();
    {
        const std::lock_guard lock(mutex_);
        came_.notify_all();
    }
    for (std::thread &worker : workers_)
        if (worker.joinable())
            worker.join();
}

void Acceptor::accept_loop() {
    while (!is_stopping_) {
        std::vector<pollfd> entries = {{listener_, POLLIN, 0}, {wake_, POLLIN, 0}};
        for (const Lingering &entry : lingering_)
            entries.push_back({entry.descriptor, POLLIN, 0});
        poll(entries.data(), entries.size(), lingering_.empty() ? 500 : 50);
        if ((entries.front().revents & POLLIN) != 0)
            accept_one();
        drain_lingering();
    }
    close(listener_);
    listener_ = -1;
}

void Acceptor::accept_one() {
    const int descriptor = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor < 0) {
        // Out of descriptors: the connection stays in the backlog; do not spin on it.
        if (errno == EMFILE || errno == ENFILE)
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        return;
    }
    const int yes = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (!enqueue(descriptor))
        shed(descriptor);
}

bool Acceptor::enqueue(int descriptor) {
    {
        const std::lock_guard lock(mutex_);
        // An idle thread may not have taken its connection yet: those places do not count.
        if (accepted_.size() >= queue_ + (threads_ - busy_))
            return false;
        accepted_.push_back(descriptor);
        waiting_ = accepted_.size();
    }
    came_.notify_one();
    return true;
}

void Acceptor::shed(int descriptor) {
    on_shed_();
    const bool sent =
        send(descriptor, kBusyAnswer.data(), kBusyAnswer.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
    shutdown(descriptor, SHUT_WR);
    // Closing with unread input resets the connection and may take the answer with it.
    if (sent && lingering_.size() < kMaxLingering)
        lingering_.push_back({descriptor, Clock::now() + kLingerTime});
    else
        close(descriptor);
}

void Acceptor::drain_lingering() {
    std::erase_if(lingering_, [](const Lingering &entry) {
        std::array<char, 4096> ignored{};
        const ssize_t got = recv(entry.descriptor, ignored.data(), ignored.size(), MSG_DONTWAIT);
        const bool over = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR) ||
                          Clock::now() >= entry.until;
        if (over)
            close(entry.descriptor);
        return over;
    });
}

void Acceptor::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        came_.wait(lock, [&] { return !accepted_.empty() || is_stopping_; });
        if (accepted_.empty())
            return;
        const int descriptor = accepted_.front();
        accepted_.pop_front();
        waiting_ = accepted_.size();
        ++busy_;
        lock.unlock();
        serve_(descriptor);
        lock.lock();
        --busy_;
        if (accepted_.empty() && busy_ == 0)
            idle_.notify_all();
    }
}

} // namespace tenancy::server
