#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "server_fixture.hpp"

namespace tenancy::server {

TEST_F(HttpServerTest, passes_method_path_query_and_body) {
    start(mirror);
    const std::string answer = ask("POST /a%20b/?x=1&y HTTP/1.1\r\nContent-Length: 2\r\n"
                                   "Connection: close\r\n\r\n{}");
    EXPECT_EQ(status_of(answer), 200);
    EXPECT_TRUE(has(answer, "<POST /a%20b/?x=1&y {}>")) << answer;
}

TEST_F(HttpServerTest, answers_pipelined_requests_in_order) {
    start(mirror);
    const std::string answer =
        ask("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\nConnection: close\r\n\r\n");
    EXPECT_LT(answer.find("<GET /1? >"), answer.find("<GET /2? >"));
    EXPECT_TRUE(has(answer, "<GET /2? >"));
}

TEST_F(HttpServerTest, a_post_without_a_length_has_no_body) {
    start(mirror);
    const auto begin = Clock::now();
    EXPECT_TRUE(has(ask("POST /a HTTP/1.1\r\nConnection: close\r\n\r\n"), "<POST /a? >"));
    EXPECT_LT(Clock::now() - begin, milliseconds(900));
}

TEST_F(HttpServerTest, takes_chunked_bodies_within_the_limit) {
    start(mirror);
    const std::string head =
        "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    EXPECT_TRUE(has(ask(head + "2\r\n{}\r\n0\r\n\r\n"), "<POST /a? {}>"));
    std::string large = head;
    for (int i = 0; i < 30; ++i)
        large += "4\r\naaaa\r\n";
    EXPECT_EQ(status_of(ask(large + "0\r\n\r\n")), 413);
}

TEST_F(HttpServerTest, refuses_a_large_body_without_reading_it) {
    start(mirror);
    EXPECT_EQ(status_of(ask("POST /a HTTP/1.1\r\nContent-Length: 101\r\n\r\n")), 413);
    EXPECT_EQ(status_of(ask("POST /a HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n")),
              400);
}

TEST_F(HttpServerTest, refuses_bodies_that_are_not_plain_json) {
    start(mirror);
    for (const char *header :
         {"Content-Type: text/plain", "Content-Type: multipart/form-data; boundary=x",
          "Content-Type: application/x-www-form-urlencoded", "Content-Encoding: gzip"})
        EXPECT_EQ(status_of(ask(std::string("POST /a HTTP/1.1\r\nContent-Length: 2\r\n") + header +
                                "\r\n\r\n{}")),
                  415)
            << header;
    for (const char *header :
         {"Content-Type: application/json", "Content-Type: Application/JSON; charset=utf-8",
          "Content-Type: application/problem+json", "Content-Encoding: identity", "X: y"})
        EXPECT_EQ(
            status_of(
                ask(std::string("POST /a HTTP/1.1\r\nConnection: close\r\nContent-Length: 2\r\n") +
                    header + "\r\n\r\n{}")),
            200)
            << header;
}

TEST_F(HttpServerTest, refuses_ambiguous_framing_and_closes) {
    start(mirror);
    for (const char *headers :
         {"Content-Length: 5\r\nTransfer-Encoding: chunked",
          "Content-Length: 5\r\nContent-Length: 5", "Transfer-Encoding: gzip, chunked",
          "Content-Length: +5", "Content-Length: 0x5", "Content-Length : 5", " Content-Length: 5",
          "Content-Length: 5\nX: y", "Content-Length:\r\n 5", "Transfer-Encoding:\r\n\tchunked",
          "X: y\r\n Content-Length: 5", "Content-Length 5", "X: y\rContent-Length: 5",
          "Content-Length:", "Content-Length :"}) {
        const std::string answer = ask(std::string("POST /a HTTP/1.1\r\n") + headers +
                                       "\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n");
        EXPECT_EQ(status_of(answer), 400) << headers;
        EXPECT_FALSE(has(answer, "smuggled")) << headers;
        EXPECT_TRUE(has(answer, "Connection: close")) << headers;
    }
}

TEST_F(HttpServerTest, a_body_that_a_get_announces_is_never_read_as_a_request) {
    start(mirror);
    const std::string answer = ask(
        "GET /a HTTP/1.1\r\nContent-Length: 33\r\n\r\nGET /smuggled HTTP/1.1\r\nX: y\r\n\r\n\r\n");
    EXPECT_TRUE(has(answer, "<GET /a? >"));
    EXPECT_FALSE(has(answer, "smuggled"));
}

TEST_F(HttpServerTest, bounds_request_line_and_headers) {
    start(mirror);
    EXPECT_EQ(
        status_of(ask("GET /" + std::string(3000, 'a') + " HTTP/1.1\r\nConnection: close\r\n\r\n")),
        200);
    std::string many = "GET / HTTP/1.1\r\n";
    for (int i = 0; i < 1000; ++i)
        many += "A: b\r\n";
    EXPECT_EQ(status_of(ask(many + "\r\n")), 413);
}

TEST_F(HttpServerTest, a_slow_request_is_cut_at_the_time_limit) {
    start(mirror);
    const auto begin = Clock::now();
    EXPECT_EQ(status_of(ask("GET / HTTP/1.1\r\nX: y\r\n")), 408);
    EXPECT_EQ(status_of(ask("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n{")), 408);
    EXPECT_LT(Clock::now() - begin, milliseconds(4000));
}

TEST_F(HttpServerTest, ranges_and_compression_are_not_applied) {
    start(mirror);
    std::string range = "Range: bytes=0-1";
    for (int i = 0; i < 500; ++i)
        range += ",0-1";
    const std::string answer =
        ask("GET /a HTTP/1.1\r\nConnection: close\r\nAccept-Encoding: gzip, br\r\n" + range +
            "\r\n\r\n");
    EXPECT_EQ(status_of(answer), 200);
    EXPECT_TRUE(has(answer, "<GET /a? >"));
}

TEST_F(HttpServerTest, head_has_the_headers_and_no_body) {
    start(mirror);
    const std::string answer = ask("HEAD /a HTTP/1.1\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(has(answer, "Content-Length: 11"));
    EXPECT_FALSE(has(answer, "<HEAD"));
}

TEST_F(HttpServerTest, a_header_cannot_end_the_header_block) {
    start([](const Request &) {
        Response response = json_response(200, "{}");
        response.headers.add("X-Bad", "a\r\nX-Evil: 1");
        return response;
    });
    EXPECT_FALSE(has(ask("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"), "X-Evil"));
}

TEST_F(HttpServerTest, streams_arrive_piece_by_piece) {
    std::atomic<bool> go_on{false};
    start([&](const Request &) {
        Response response;
        response.headers.add("Content-Type", "text/event-stream; charset=utf-8");
        response.stream = [&, sent = false](std::string &out,
                                            const std::function<bool()> &) mutable {
            if (!sent) {
                out = "data: first\n\n";
                sent = true;
                return true;
            }
            std::this_thread::sleep_for(milliseconds(1));
            return !go_on;
        };
        return response;
    });
    const RawClient client(port_);
    client.send("GET / HTTP/1.1\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(has(client.receive("first"), "data: first"));
    go_on = true;
    EXPECT_TRUE(has(client.receive(), "0\r\n\r\n"));
}

TEST_F(HttpServerTest, a_stream_notices_that_its_client_has_gone) {
    std::atomic<bool> noticed{false};
    start([&](const Request &) {
        Response response;
        response.headers.add("Content-Type", "text/event-stream");
        response.stream = [&](std::string &out, const std::function<bool()> &is_connected) {
            if (!is_connected()) {
                noticed = true;
                return false;
            }
            out = noticed ? "" : ".";
            std::this_thread::sleep_for(milliseconds(1));
            return true;
        };
        return response;
    });
    {
        const RawClient client(port_);
        client.send("GET / HTTP/1.1\r\n\r\n");
        client.receive(".");
    }
    for (int i = 0; i < 1000 && !noticed; ++i)
        std::this_thread::sleep_for(milliseconds(1));
    EXPECT_TRUE(noticed);
}

TEST_F(HttpServerTest, answers_503_when_threads_and_queue_are_full) {
    std::atomic<bool> go_on{false};
    start([&](const Request &request) {
        while (!go_on)
            std::this_thread::sleep_for(milliseconds(1));
        return mirror(request);
    });
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 3; ++i) { // two threads and one place in the queue
        clients.push_back(std::make_unique<RawClient>(port_));
        clients.back()->send("GET / HTTP/1.1\r\n\r\n");
        std::this_thread::sleep_for(milliseconds(30));
    }
    const std::string answer = ask("GET / HTTP/1.1\r\n\r\n");
    EXPECT_EQ(status_of(answer), 503);
    EXPECT_TRUE(has(answer, "Retry-After: 1"));
    EXPECT_EQ(shed_, 1);
    go_on = true;
    for (const auto &client : clients)
        EXPECT_EQ(status_of(client->receive(">")), 200);
}

TEST_F(HttpServerTest, stop_lets_requests_finish_and_cuts_them_at_the_deadline) {
    std::atomic<bool> entered{false};
    start([&](const Request &request) {
        entered = true;
        while (request.is_connected())
            std::this_thread::sleep_for(milliseconds(1));
        return mirror(request);
    });
    const RawClient client(port_);
    client.send("GET / HTTP/1.1\r\n\r\n");
    while (!entered)
        std::this_thread::sleep_for(milliseconds(1));
    const auto begin = Clock::now();
    server_->stop(begin + milliseconds(100));
    EXPECT_GE(Clock::now() - begin, milliseconds(100));
    EXPECT_LT(Clock::now() - begin, milliseconds(2000));
    EXPECT_THROW(RawClient late(port_), std::runtime_error);
}

TEST_F(HttpServerTest, a_stream_that_is_cut_does_not_look_complete) {
    start([](const Request &) {
        Response response;
        response.headers.add("Content-Type", "text/event-stream");
        response.stream = [](std::string &out, const std::function<bool()> &is_connected) {
            out = ".";
            std::this_thread::sleep_for(milliseconds(1));
            return is_connected();
        };
        return response;
    });
    const RawClient client(port_);
    client.send("GET / HTTP/1.1\r\n\r\n");
    client.receive(".");
    server_->stop(Clock::now());
    EXPECT_FALSE(has(client.receive(), "\r\n0\r\n\r\n"));
}

TEST_F(HttpServerTest, reports_an_address_in_use) {
    start(mirror);
    HttpServer other(small_limits(), mirror, [] {});
    EXPECT_TRUE(has(other.start("127.0.0.1", port_), "Address already in use"));
}

} // namespace tenancy::server
