// A client's socket as the HTTP library sees it.
#pragma once

#include <string>

#include <httplib.h>

#include "request_head.hpp"
#include "socket.hpp"

namespace tenancy::server {

// The library reads and writes through this. It skips header lines that end in a bare LF, too:
// while the head is read, such a line, or one that is not clear, ends the connection.
class SocketStream : public httplib::Stream {
public:
    explicit SocketStream(Socket &socket) : socket_(socket) {}
    void end_of_head() { is_in_head_ = false; }
    bool is_readable() const override { return true; }
    bool is_writable() const override { return socket_.is_peer_there(); }
    ssize_t read(char *to, std::size_t size) override {
        const ssize_t got = socket_.read(to, size);
        for (ssize_t i = 0; is_in_head_ && i < got; ++i)
            if (!take(to[i]))
                return -1;
        return got;
    }
    ssize_t write(const char *from, std::size_t size) override {
        if (is_held_ && held_.size() + size <= kMaxHeld)
            held_.append(from, size);
        else if (!flush() || !socket_.write(from, size))
            return -1;
        return static_cast<ssize_t>(size);
    }
    /// From now on small pieces wait for flush(): the head of an answer goes out with its body.
    void hold() { is_held_ = true; }
    bool flush() {
        const bool sent = socket_.write(held_.data(), held_.size());
        held_.clear();
        return sent;
    }
    void get_remote_ip_and_port(std::string &, int &) const override {}
    void get_local_ip_and_port(std::string &, int &) const override {}
    socket_t socket() const override { return socket_.descriptor(); }

private:
    bool take(char c) {
        if (c != '\n') {
            line_.push_back(c);
            return true;
        }
        if (line_.empty() || line_.back() != '\r')
            return false;
        line_.pop_back();
        const bool is_clear = is_clear_line(line_, is_request_line_);
        is_request_line_ = false;
        line_.clear();
        return is_clear;
    }

    static constexpr std::size_t kMaxHeld = 65536;

    Socket &socket_;
    bool is_in_head_ = true;
    bool is_request_line_ = true;
    bool is_held_ = false;
    std::string line_; // bounded by what the socket allows for a head
    std::string held_;
};

} // namespace tenancy::server
