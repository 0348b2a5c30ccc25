#include "raw_client.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <stdexcept>
#include <thread>

namespace tenancy::server {

namespace {

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    return address;
}

} // namespace

RawClient::RawClient(int port) : descriptor_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval three_seconds{3, 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &three_seconds, sizeof three_seconds);
    const sockaddr_in address = loopback(port);
    if (connect(descriptor_, reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0)
        throw std::runtime_error("cannot connect");
}

RawClient::~RawClient() {
    close(descriptor_);
}

void RawClient::send(const std::string &bytes) const {
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t sent =
            ::send(descriptor_, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
        if (sent <= 0)
            return; // the server has had enough; what it said can still be read
        done += static_cast<std::size_t>(sent);
    }
}

std::string RawClient::receive(const std::string &wanted) const {
    std::string all;
    std::array<char, 4096> piece{};
    while (wanted.empty() || all.find(wanted) == std::string::npos) {
        const ssize_t got = recv(descriptor_, piece.data(), piece.size(), 0);
        if (got <= 0)
            break;
        all.append(piece.data(), static_cast<std::size_t>(got));
    }
    return all;
}

void RawClient::receive_some() const {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    std::array<char, 1024> piece{};
    static_cast<void>(recv(descriptor_, piece.data(), piece.size(), MSG_DONTWAIT));
}

int free_port() {
    const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (bind(descriptor, reinterpret_cast<const sockaddr *>(&address), size) != 0 ||
        getsockname(descriptor, reinterpret_cast<sockaddr *>(&address), &size) != 0)
        throw std::runtime_error("no free port");
    close(descriptor);
    return ntohs(address.sin_port);
}

std::string exchange(int port, const std::string &bytes) {
    const RawClient client(port);
    client.send(bytes);
    return client.receive();
}

int status_of(const std::string &response) {
    return response.rfind("HTTP/1.1 ", 0) == 0 ? std::stoi(response.substr(9, 3)) : 0;
}

} // namespace tenancy::server
