// The server side of the HTTP library, behind our own words. No header of the library is seen
// outside http_server.cpp.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "config.hpp"
#include "http.hpp"
#include "tls.hpp"

namespace tenancy::server {

class HttpServer {
public:
    /// `handler` must not throw. `on_shed` is told of each connection refused because all is full.
    HttpServer(const LimitsConfig &limits, Handler handler, std::function<void()> on_shed);
    ~HttpServer();
    HttpServer(const HttpServer &) = delete;
    HttpServer &operator=(const HttpServer &) = delete;
    HttpServer(HttpServer &&) = delete;
    HttpServer &operator=(HttpServer &&) = delete;

    /// Who is asked, before start(), about each request whose body is not here yet and will keep a
    /// thread waiting. Must not throw.
    void set_admission(Admission admission);

    /// From now on new connections speak TLS.
    void set_tls(TlsContext context);

    /// Listens and serves from other threads. Empty: it does; otherwise what went wrong.
    std::string start(const std::string &host, int port);

    /// Stops accepting, lets what runs finish until `deadline`, then cuts it: is_connected() turns
    /// false for every request, so that streams end their turns. Returns when nothing runs.
    void stop(std::chrono::steady_clock::time_point deadline);

    std::size_t busy_threads() const;
    std::size_t waiting_connections() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace tenancy::server
