// How many connections each address has. The address is the TCP peer's: what a header says of where
// a request comes from (X-Forwarded-For) is the sender's own word and is never looked at.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <sys/socket.h>

namespace tenancy::server {

/// An IPv4 address, or the first 64 bits of an IPv6 one: a customer gets no less of those, and
/// could take each connection from another address below.
using AddressKey = std::array<std::uint8_t, 8>;

/// The key of a peer as accept(2) gives it; all zero for other kinds of sockets.
AddressKey address_key(const sockaddr_storage &peer);

class AddressCount {
public:
    /// At most `most` for each address; 0: any number.
    explicit AddressCount(std::size_t most) : most_(most) {}
    bool take(const AddressKey &address);
    void give_back(const AddressKey &address);

private:
    const std::size_t most_;
    std::map<AddressKey, std::size_t> counts_;
};

} // namespace tenancy::server
