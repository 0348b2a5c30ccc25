#include "address_count.hpp"

#include <algorithm>
#include <cstring>
#include <netinet/in.h>

namespace tenancy::server {

AddressKey address_key(const sockaddr_storage &peer) {
    AddressKey key{};
    if (peer.ss_family == AF_INET) {
        sockaddr_in address{};
        std::memcpy(&address, &peer, sizeof address);
        std::memcpy(key.data() + 4, &address.sin_addr, 4);
    } else if (peer.ss_family == AF_INET6) {
        sockaddr_in6 address{};
        std::memcpy(&address, &peer, sizeof address);
        const bool is_mapped = IN6_IS_ADDR_V4MAPPED(&address.sin6_addr) != 0;
        const std::uint8_t *from = &address.sin6_addr.s6_addr[is_mapped ? 12 : 0];
        std::copy_n(from, is_mapped ? 4 : 8, key.data() + (is_mapped ? 4 : 0));
    }
    return key;
}

bool AddressCount::take(const AddressKey &address) {
    if (most_ == 0)
        return true;
    std::size_t &count = counts_[address];
    if (count >= most_)
        return false;
    ++count;
    return true;
}

void AddressCount::give_back(const AddressKey &address) {
    const auto found = counts_.find(address);
    if (found != counts_.end() && --found->second == 0)
        counts_.erase(found);
}

} // namespace tenancy::server
