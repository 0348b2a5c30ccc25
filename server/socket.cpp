#include "socket.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tenancy::server {

namespace {

constexpr std::chrono::milliseconds kLinger{500};
constexpr std::size_t kMaxDrained = std::size_t{1} << 20U;

bool wait_until(int descriptor, short events, Socket::Clock::time_point deadline) {
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Socket::Clock::now());
        if (left.count() < 0)
            return false;
        pollfd entry{descriptor, events, 0};
        const int ready =
            poll(&entry, 1, static_cast<int>(std::min<long>(left.count() + 1, 60000)));
        if (ready > 0)
            return true;
        if (ready < 0 && errno != EINTR)
            return false;
    }
}

} // namespace

Socket::Socket(int descriptor, std::chrono::milliseconds write_timeout)
    : descriptor_(descriptor), write_timeout_(write_timeout) {}

Socket::~Socket() {
    close(descriptor_);
}

void Socket::allow(std::size_t bytes, Clock::time_point deadline) {
    budget_ = bytes;
    deadline_ = deadline;
    failure_ = Failure::none;
}

ssize_t Socket::fill() {
    if (!wait_until(descriptor_, POLLIN, deadline_)) {
        failure_ = Failure::timed_out;
        return -1;
    }
    const ssize_t got = recv(descriptor_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return fill();
    if (got <= 0)
        failure_ = Failure::closed;
    begin_ = 0;
    end_ = got > 0 ? static_cast<std::size_t>(got) : 0;
    return got;
}

ssize_t Socket::read(char *to, std::size_t size) {
    if (budget_ == 0) {
        failure_ = Failure::over_budget;
        return -1;
    }
    if (begin_ == end_)
        if (const ssize_t got = fill(); got <= 0)
            return got;
    const std::size_t count = std::min({size, end_ - begin_, budget_});
    std::memcpy(to, buffer_.data() + begin_, count);
    begin_ += count;
    budget_ -= count;
    return static_cast<ssize_t>(count);
}

bool Socket::write(const char *from, std::size_t size) {
    const auto deadline = Clock::now() + write_timeout_;
    while (size > 0) {
        const ssize_t sent = send(descriptor_, from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0) {
            from += sent;
            size -= static_cast<std::size_t>(sent);
            bytes_sent_ += static_cast<std::size_t>(sent);
        } else if (errno != EINTR &&
                   (errno != EAGAIN || !wait_until(descriptor_, POLLOUT, deadline))) {
            return false;
        }
    }
    return true;
}

bool Socket::wait_readable(std::chrono::milliseconds patience) const {
    return begin_ != end_ || wait_until(descriptor_, POLLIN, Clock::now() + patience);
}

bool Socket::is_peer_there() const {
    char byte = 0;
    const ssize_t got = recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

void Socket::close_gently() {
    shutdown(descriptor_, SHUT_WR);
    const auto deadline = Clock::now() + kLinger;
    std::size_t drained = 0;
    while (drained < kMaxDrained && wait_until(descriptor_, POLLIN, deadline)) {
        const ssize_t got = recv(descriptor_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return;
        drained += got > 0 ? static_cast<std::size_t>(got) : 0;
    }
}

} // namespace tenancy::server
