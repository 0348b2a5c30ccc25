#include "socket.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <openssl/err.h>

namespace tenancy::server {

namespace {

constexpr std::size_t kStep = 16384;
// A body that is behind this rate once the first seconds are over is not waited for any longer.
constexpr std::size_t kLeastBytesPerSecond = 8192;
constexpr std::chrono::seconds kRateGrace{5};

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

Socket::Socket(int descriptor, std::chrono::milliseconds write_timeout, TlsSession tls)
    : descriptor_(descriptor), write_timeout_(write_timeout), tls_(std::move(tls)) {}

Socket::~Socket() {
    close(descriptor_);
}

void Socket::allow(std::size_t bytes, Clock::time_point deadline) {
    gauge_.reset();
    budget_ = bytes;
    deadline_ = deadline;
    body_began_.reset();
    stall_left_ = write_timeout_;
    failure_ = Failure::none;
}

void Socket::allow_body(std::size_t bytes, Clock::time_point deadline) {
    budget_ = bytes;
    deadline_ = deadline;
    body_began_ = Clock::now();
    body_bytes_ = 0;
}

Socket::Clock::time_point Socket::patience_ends() const {
    if (!body_began_)
        return deadline_;
    const std::chrono::milliseconds earned(1000 * body_bytes_ / kLeastBytesPerSecond);
    return std::min(deadline_, *body_began_ + kRateGrace + earned);
}

// Notes what to wait for before the next try.
ssize_t Socket::tls_outcome(int result) {
    switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ:
        wanted_ = POLLIN;
        return -1;
    case SSL_ERROR_WANT_WRITE:
        wanted_ = POLLOUT;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        wanted_ = 0;
        return 0;
    default:
        wanted_ = 0;
        is_tls_broken_ = true;
        spoke_plain_http_ = ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
        ERR_clear_error();
        return -1;
    }
}

ssize_t Socket::receive(char *to, std::size_t size) {
    if (is_tls_broken_)
        return -1;
    if (tls_ != nullptr) {
        std::size_t got = 0;
        ERR_clear_error();
        const int result = SSL_read_ex(tls_.get(), to, size, &got);
        return result == 1 ? static_cast<ssize_t>(got) : tls_outcome(result);
    }
    const ssize_t got = recv(descriptor_, to, size, MSG_DONTWAIT);
    wanted_ = got < 0 && (errno == EAGAIN || errno == EINTR) ? POLLIN : 0;
    return got;
}

ssize_t Socket::transmit(const char *from, std::size_t size) {
    if (is_tls_broken_)
        return -1;
    if (tls_ != nullptr) {
        std::size_t sent = 0;
        ERR_clear_error();
        const int result = SSL_write_ex(tls_.get(), from, size, &sent);
        return result == 1 ? static_cast<ssize_t>(sent) : tls_outcome(result);
    }
    const ssize_t sent = send(descriptor_, from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    wanted_ = sent < 0 && (errno == EAGAIN || errno == EINTR) ? POLLOUT : 0;
    return sent;
}

Arrival Socket::collect(std::size_t most) {
    if (begin_ == end_) // an idle connection keeps no memory
        std::vector<char>().swap(buffer_);
    else
        buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(begin_));
    end_ = buffered();
    begin_ = 0;
    for (;;) {
        if (gauge_.is_whole({buffer_.data() + begin_, buffered()}) || buffered() >= most)
            return Arrival::whole;
        buffer_.resize(end_ + kStep);
        const ssize_t got = receive(buffer_.data() + end_, kStep);
        if (got > 0)
            end_ += static_cast<std::size_t>(got);
        else if (wanted_ != 0)
            return Arrival::partial;
        else
            return buffered() > 0 ? Arrival::whole
                                  : Arrival::gone; // cut off: the reader will say so
    }
}

ssize_t Socket::fill() {
    begin_ = end_ = 0;
    buffer_.resize(std::max(buffer_.size(), kStep));
    for (;;) {
        const ssize_t got = receive(buffer_.data(), kStep);
        if (got > 0) {
            end_ = static_cast<std::size_t>(got);
            body_bytes_ += end_;
            return got;
        }
        if (wanted_ == 0) {
            failure_ = Failure::closed;
            return got;
        }
        if (!wait_until(descriptor_, wanted_, patience_ends())) {
            failure_ = Failure::timed_out;
            return -1;
        }
    }
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
    while (size > 0) {
        const ssize_t sent = transmit(from, size);
        if (sent > 0) {
            from += sent;
            size -= static_cast<std::size_t>(sent);
            bytes_sent_ += static_cast<std::size_t>(sent);
            continue;
        }
        if (wanted_ == 0)
            return false;
        const auto began = Clock::now();
        if (!wait_until(descriptor_, wanted_, began + stall_left_))
            return false;
        stall_left_ -= Clock::now() - began;
    }
    return true;
}

void Socket::send_now(std::string_view bytes) {
    if (bytes.empty())
        return;
    if (spoke_plain_http_)
        (void)send(descriptor_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    else if (tls_ == nullptr || SSL_is_init_finished(tls_.get()) != 0)
        (void)transmit(bytes.data(), bytes.size());
}

bool Socket::wait_readable(std::chrono::milliseconds patience) const {
    return begin_ != end_ || wait_until(descriptor_, POLLIN, Clock::now() + patience);
}

bool Socket::is_peer_there() {
    char byte = 0;
    const ssize_t got = recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    if (tls_ == nullptr || is_tls_broken_)
        return !is_tls_broken_;
    std::size_t peeked = 0; // what came may be the notice that the peer closes
    ERR_clear_error();
    const int result = SSL_peek_ex(tls_.get(), &byte, 1, &peeked);
    return result == 1 || (tls_outcome(result) < 0 && wanted_ != 0);
}

void Socket::finish() {
    if (tls_ != nullptr && !is_tls_broken_ && SSL_is_init_finished(tls_.get()) != 0) {
        ERR_clear_error();
        SSL_shutdown(tls_.get());
        ERR_clear_error();
    }
    shutdown(descriptor_, SHUT_WR);
    wanted_ = POLLIN;
}

bool Socket::drained() const {
    std::array<char, 4096> ignored{};
    const ssize_t got = recv(descriptor_, ignored.data(), ignored.size(), MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

} // namespace tenancy::server
