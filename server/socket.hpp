// One accepted connection, plain or TLS: what arrives is collected without waiting, or read under a
// byte budget, a deadline and a least rate; what is sent may keep a thread waiting for a time
// bounded over the whole answer. The HTTP library reads byte by byte and without any total limit;
// here is where both are put right.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "arrival.hpp"
#include "tls.hpp"

namespace tenancy::server {

enum class Arrival { partial, whole, gone };

class Socket {
public:
    using Clock = std::chrono::steady_clock;
    enum class Failure { none, closed, timed_out, over_budget };

    /// Owns `descriptor`, which does not block, from here on. `tls` null: plain.
    Socket(int descriptor, std::chrono::milliseconds write_timeout, TlsSession tls = nullptr);
    ~Socket();
    Socket(const Socket &) = delete;
    Socket &operator=(const Socket &) = delete;
    Socket(Socket &&) = delete;
    Socket &operator=(Socket &&) = delete;

    /// Takes what has arrived, up to `most` bytes, without waiting; the TLS handshake is made on
    /// the way. whole: a request can be read, or refused. gone: there is nothing and nothing will
    /// come.
    Arrival collect(std::size_t most);
    /// What poll(2) is to watch before the next collect().
    short wanted_events() const { return wanted_; }
    /// Of the next request, collected and not read.
    std::size_t buffered() const { return end_ - begin_; }

    /// A request begins: from now on at most `bytes` can be read, until `deadline`. Its answer may
    /// wait for its reader for write_timeout, all pauses together.
    void allow(std::size_t bytes, Clock::time_point deadline);
    /// Its head is read: another budget and deadline for the body, which must keep a least rate.
    void allow_body(std::size_t bytes, Clock::time_point deadline);

    /// Like read(2): the number of bytes, 0 at the end of the stream, -1 on failure().
    ssize_t read(char *to, std::size_t size);
    /// Writes all of it or returns false.
    bool write(const char *from, std::size_t size);
    /// Sends what the kernel takes at once; nothing before the end of a handshake. To a client that
    /// speaks plain HTTP to a TLS socket it goes out as it is.
    void send_now(std::string_view bytes);

    /// True when a byte can be read now or comes (or the peer closes) within `patience`.
    bool wait_readable(std::chrono::milliseconds patience) const;
    /// False once the peer has closed its side or the connection is broken. Costs one system call.
    bool is_peer_there();
    bool spoke_plain_http() const { return spoke_plain_http_; }

    /// Nothing more is sent. A plain close() with unread input would reset the connection and could
    /// take the answer with it, so drained() follows until it is true or patience ends.
    void finish();
    /// Drops what has arrived; true once the peer has closed as well.
    bool drained() const;

    Failure failure() const { return failure_; }
    std::size_t bytes_sent() const { return bytes_sent_; }
    int descriptor() const { return descriptor_; }

private:
    ssize_t fill();
    ssize_t receive(char *to, std::size_t size);
    ssize_t transmit(const char *from, std::size_t size);
    ssize_t tls_outcome(int result);
    Clock::time_point patience_ends() const;

    const int descriptor_;
    const std::chrono::milliseconds write_timeout_;
    TlsSession tls_;
    bool is_tls_broken_ = false; // OpenSSL forbids any further call after a fatal error
    bool spoke_plain_http_ = false;
    short wanted_ = POLLIN; // poll's events; 0 after an end or an error
    ArrivalGauge gauge_;
    std::vector<char> buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::size_t budget_ = 0;
    Clock::time_point deadline_;
    std::optional<Clock::time_point> body_began_;
    std::size_t body_bytes_ = 0;
    std::chrono::nanoseconds stall_left_{0};
    std::size_t bytes_sent_ = 0;
    Failure failure_ = Failure::none;
};

} // namespace tenancy::server
