// What keeps slow and greedy clients apart from the others.
#include <arpa/inet.h>
#include <cstring>
#include <netinet/in.h>
#include <thread>

#include <gtest/gtest.h>

#include "address_count.hpp"
#include "arrival.hpp"
#include "server_fixture.hpp"
#include "shares.hpp"

namespace tenancy::server {

namespace {

AddressKey v4(const char *text) {
    sockaddr_storage peer{};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    inet_pton(AF_INET, text, &address.sin_addr);
    std::memcpy(&peer, &address, sizeof address);
    return address_key(peer);
}

AddressKey v6(const char *text) {
    sockaddr_storage peer{};
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    inet_pton(AF_INET6, text, &address.sin6_addr);
    std::memcpy(&peer, &address, sizeof address);
    return address_key(peer);
}

// How many bytes must be there before the request counts as whole.
std::size_t whole_at(const std::string &request) {
    ArrivalGauge gauge;
    for (std::size_t size = 0; size <= request.size(); ++size)
        if (gauge.is_whole(std::string_view(request).substr(0, size)))
            return size;
    return std::string::npos;
}

} // namespace

TEST(AddressCount, ipv6_counts_by_64_and_mapped_addresses_as_ipv4) {
    EXPECT_EQ(v6("2001:db8:1:2::1"), v6("2001:db8:1:2:ffff::9"));
    EXPECT_NE(v6("2001:db8:1:2::1"), v6("2001:db8:1:3::1"));
    EXPECT_EQ(v6("::ffff:192.0.2.1"), v4("192.0.2.1"));
    EXPECT_NE(v4("192.0.2.1"), v4("192.0.2.2"));
}

TEST(AddressCount, each_address_has_a_limit_of_its_own) {
    AddressCount count(2);
    EXPECT_TRUE(count.take(v4("192.0.2.1")));
    EXPECT_TRUE(count.take(v4("192.0.2.1")));
    EXPECT_FALSE(count.take(v4("192.0.2.1")));
    EXPECT_TRUE(count.take(v4("192.0.2.2")));
    count.give_back(v4("192.0.2.1"));
    EXPECT_TRUE(count.take(v4("192.0.2.1")));
    AddressCount unlimited(0);
    for (int i = 0; i < 1000; ++i)
        EXPECT_TRUE(unlimited.take(v4("192.0.2.1")));
}

TEST(Arrival, a_request_is_whole_with_its_head_and_a_body_of_known_size) {
    const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    EXPECT_EQ(whole_at(get + "GET"), get.size());
    const std::string post = "POST / HTTP/1.1\r\ncontent-length:  5 \r\n\r\n";
    EXPECT_EQ(whole_at(post + "12345678"), post.size() + 5);
}

TEST(Arrival, a_body_that_a_thread_must_read_is_not_waited_for) {
    for (const char *field : {"Content-Length: 65537", "Transfer-Encoding: chunked",
                              "Content-Length: 5\r\nExpect: 100-continue", "Content-Length: x",
                              "Content-Length: 99999999999999999999999"}) {
        const std::string head = std::string("POST / HTTP/1.1\r\n") + field + "\r\n\r\n";
        EXPECT_EQ(whole_at(head + "12345"), head.size()) << field;
    }
}

TEST(Arrival, what_will_be_refused_is_whole_at_once) {
    EXPECT_EQ(whole_at("GET / HTTP/1.1\nHost: a"), 15U);
    EXPECT_EQ(whole_at("GET / HTTP/1.1\r\nHost: a"), std::string::npos);
}

TEST(Shares, alone_a_tenant_has_four_fifths_and_another_one_finds_a_place) {
    Slots slots(10);
    Shares shares(slots);
    std::vector<Share> held;
    const auto take = [&](const std::string &tenant) {
        EXPECT_TRUE(slots.take());
        Share share = shares.take(tenant);
        if (share == nullptr)
            slots.give_back();
        else
            held.push_back(share);
        return share != nullptr;
    };
    for (int i = 0; i < 8; ++i)
        EXPECT_TRUE(take("acme")) << i;
    EXPECT_FALSE(take("acme"));
    EXPECT_TRUE(take("globex"));
    EXPECT_TRUE(take("globex"));
    held.erase(held.begin(), held.begin() + 4);
    for (int i = 0; i < 4; ++i)
        slots.give_back();
    EXPECT_TRUE(take("acme")) << "what is given back counts no more";
}

TEST(Shares, twenty_greedy_tenants_leave_a_place_for_a_new_one) {
    Slots slots(80);
    Shares shares(slots);
    std::vector<Share> held;
    for (int round = 0; round < 80; ++round)
        for (int tenant = 0; tenant < 19; ++tenant)
            if (slots.take()) {
                if (Share share = shares.take(std::to_string(tenant)))
                    held.push_back(std::move(share));
                else
                    slots.give_back();
            }
    EXPECT_LT(slots.taken(), 80U);
    EXPECT_GT(slots.taken(), 70U);
}

// Two threads serve everybody although fifty clients never finish what they have begun.
TEST_F(HttpServerTest, who_is_slow_or_idle_keeps_no_thread) {
    start(mirror);
    std::vector<std::unique_ptr<RawClient>> slow;
    for (int i = 0; i < 50; ++i) {
        slow.push_back(std::make_unique<RawClient>(port_));
        slow.back()->send(i % 3 == 0   ? ""
                          : i % 3 == 1 ? "GET / HTTP/1.1\r\nX: y\r\n"
                                       : "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n{");
    }
    const auto begin = Clock::now();
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(status_of(ask("GET / HTTP/1.1\r\nConnection: close\r\n\r\n")), 200);
    EXPECT_LT(Clock::now() - begin, milliseconds(900)); // before the slow ones' time is over
    EXPECT_EQ(shed_, 0);
}

TEST_F(HttpServerTest, an_address_has_only_so_many_connections) {
    LimitsConfig limits = small_limits();
    limits.connections_per_address = 3;
    start(mirror, limits);
    std::vector<std::unique_ptr<RawClient>> clients;
    clients.reserve(3);
    for (int i = 0; i < 3; ++i)
        clients.push_back(std::make_unique<RawClient>(port_));
    EXPECT_EQ(status_of(ask("GET / HTTP/1.1\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")), 503);
    EXPECT_EQ(shed_, 1);
    clients.pop_back();
    std::this_thread::sleep_for(milliseconds(50));
    EXPECT_EQ(status_of(ask("GET / HTTP/1.1\r\nConnection: close\r\n\r\n")), 200);
}

TEST_F(HttpServerTest, when_all_connections_are_taken_the_slow_and_the_idle_make_room) {
    LimitsConfig limits = small_limits();
    limits.max_connections = 2;
    limits.request_timeout = limits.keep_alive_timeout = std::chrono::seconds(30);
    start(mirror, limits);
    const RawClient idle(port_);
    idle.send("GET / HTTP/1.1\r\n\r\n");
    EXPECT_EQ(status_of(idle.receive(">")), 200);
    const RawClient slow(port_);
    slow.send("GET / HTTP/1.1\r\n");
    std::this_thread::sleep_for(milliseconds(1100));
    EXPECT_EQ(status_of(ask("GET / HTTP/1.1\r\n\r\n")), 200); // where the slow one was
    EXPECT_EQ(status_of(slow.receive()), 503);
    const RawClient young(port_);
    young.send("GET / HTTP/1.1\r\n");
    std::this_thread::sleep_for(milliseconds(20));
    EXPECT_EQ(status_of(ask("GET / HTTP/1.1\r\n\r\n")), 200); // where the idle one was
    EXPECT_EQ(idle.receive(), "");
}

TEST_F(HttpServerTest, a_reader_that_stops_is_cut_after_the_write_timeout) {
    std::atomic<bool> is_over{false};
    LimitsConfig limits = small_limits();
    limits.write_timeout = std::chrono::seconds(1);
    start(
        [&](const Request &) {
            Response response;
            response.headers.add("Content-Type", "text/event-stream");
            response.stream = [](std::string &out, const std::function<bool()> &) {
                out.assign(65536, '.');
                return true; // without end
            };
            response.on_sent = [&](std::size_t) { is_over = true; };
            return response;
        },
        limits);
    const RawClient client(port_);
    client.send("GET / HTTP/1.1\r\n\r\n");
    const auto begin = Clock::now();
    while (!is_over && Clock::now() - begin < std::chrono::seconds(5))
        client.receive_some(); // now and then a little: the pauses add up
    EXPECT_TRUE(is_over);
}

TEST_F(HttpServerTest, a_large_body_is_read_only_after_an_admission) {
    port_ = free_port();
    server_ = std::make_unique<HttpServer>(small_limits(), mirror, [] {});
    std::atomic<int> asked{0};
    server_->set_admission([&](const Request &request) {
        ++asked;
        Admitted admitted;
        if (!request.headers.find("X-Good"))
            admitted.refusal = problem(Code::no_token);
        return admitted;
    });
    ASSERT_EQ(server_->start("127.0.0.1", port_), "");
    const std::string chunked = "Transfer-Encoding: chunked\r\nConnection: close\r\n";
    EXPECT_EQ(status_of(ask("POST / HTTP/1.1\r\n" + chunked + "\r\n")), 401);
    EXPECT_TRUE(has(ask("POST / HTTP/1.1\r\nX-Good: 1\r\n" + chunked + "\r\n2\r\n{}\r\n0\r\n\r\n"),
                    "<POST /? {}>"));
    EXPECT_EQ(asked, 2);
    EXPECT_EQ(status_of(ask("POST / HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")),
              200);
    EXPECT_EQ(asked, 2) << "a body that is here needs none";
}

} // namespace tenancy::server
