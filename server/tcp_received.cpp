#include "tcp_received.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <linux/tcp.h>

namespace tenancy::server {

std::size_t tcp_received(int descriptor) {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (descriptor < 0 || getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return 0;
    return info.tcpi_bytes_received;
}

} // namespace tenancy::server
