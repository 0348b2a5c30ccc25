// One accepted connection: buffered reads under a byte budget and a deadline, writes under a
// time-out. The HTTP library reads byte by byte and without any total limit; here is where both are
// put right.
#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstddef>

namespace tenancy::server {

class Socket {
public:
    using Clock = std::chrono::steady_clock;
    enum class Failure { none, closed, timed_out, over_budget };

    /// Owns `descriptor` from here on.
    Socket(int descriptor, std::chrono::milliseconds write_timeout);
    ~Socket();
    Socket(const Socket &) = delete;
    Socket &operator=(const Socket &) = delete;
    Socket(Socket &&) = delete;
    Socket &operator=(Socket &&) = delete;

    /// From now on at most `bytes` can be read, until `deadline`.
    void allow(std::size_t bytes, Clock::time_point deadline);

    /// Like read(2): the number of bytes, 0 at the end of the stream, -1 on failure().
    ssize_t read(char *to, std::size_t size);
    /// Writes all of it or returns false.
    bool write(const char *from, std::size_t size);

    /// True when a byte can be read now or comes (or the peer closes) within `patience`.
    bool wait_readable(std::chrono::milliseconds patience) const;
    /// False once the peer has closed its side or the connection is broken. Costs one system call.
    bool is_peer_there() const;

    /// Sends what is queued, then waits a moment for the peer to read it: a plain close() with
    /// unread input would reset the connection and could take the answer with it.
    void close_gently();

    Failure failure() const { return failure_; }
    std::size_t bytes_sent() const { return bytes_sent_; }
    int descriptor() const { return descriptor_; }

private:
    ssize_t fill();

    const int descriptor_;
    const std::chrono::milliseconds write_timeout_;
    std::array<char, 16384> buffer_{};
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::size_t budget_ = 0;
    Clock::time_point deadline_;
    std::size_t bytes_sent_ = 0;
    Failure failure_ = Failure::none;
};

} // namespace tenancy::server
