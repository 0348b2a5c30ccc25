// A client that writes exactly the bytes it is told, to a server on a free port of the loopback.
#pragma once

#include <string>
#include <vector>

namespace tenancy::server {

class RawClient {
public:
    explicit RawClient(int port);
    ~RawClient();
    RawClient(const RawClient &) = delete;
    RawClient &operator=(const RawClient &) = delete;
    RawClient(RawClient &&) = delete;
    RawClient &operator=(RawClient &&) = delete;

    void send(const std::string &bytes) const;
    /// Everything until the server closes, or until `wanted` has come, at most three seconds.
    std::string receive(const std::string &wanted = "") const;
    /// What is there, a little of it, after a pause.
    void receive_some() const;

private:
    int descriptor_;
};

/// A port that was free a moment ago.
int free_port();

/// One connection: sends, then receives until the server closes.
std::string exchange(int port, const std::string &bytes);

/// The three digits of a response's status line, or 0.
int status_of(const std::string &response);

} // namespace tenancy::server
