// An HTTP server on a free port, with small limits and a handler that shows what it understood.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>

#include <gtest/gtest.h>

#include "http_server.hpp"
#include "middleware/middleware.hpp"
#include "raw_client.hpp"

namespace tenancy::server {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// Answers with what it understood, so that a test sees it: "<method> <path>?<query> <body>".
inline Response mirror(const Request &request) {
    if (const auto refusal = check_limits(request))
        return problem(*refusal);
    return json_response(200, "<" + request.method + " " + request.path + "?" + request.query +
                                  " " + request.body + ">");
}

inline LimitsConfig small_limits() {
    LimitsConfig limits;
    limits.threads = 2;
    limits.queue = 1;
    limits.max_body_bytes = 100;
    limits.max_header_bytes = 4096;
    limits.request_timeout = std::chrono::seconds(1);
    limits.keep_alive_timeout = std::chrono::seconds(1);
    return limits;
}

class HttpServerTest : public ::testing::Test {
protected:
    void start(Handler handler, const LimitsConfig &limits = small_limits()) {
        port_ = free_port();
        server_ = std::make_unique<HttpServer>(limits, std::move(handler), [this] { ++shed_; });
        ASSERT_EQ(server_->start("127.0.0.1", port_), "");
    }
    void TearDown() override {
        if (server_)
            server_->stop(Clock::now());
    }
    std::string ask(const std::string &bytes) const { return exchange(port_, bytes); }

    int port_ = 0;
    std::atomic<int> shed_{0};
    std::unique_ptr<HttpServer> server_;
};

inline bool has(const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
}

} // namespace tenancy::server
