// How many bytes came in over a connection.
#pragma once

#include <cstddef>

namespace tenancy::server {

/// Bytes that the peer of a TCP socket has sent so far, TLS included; 0 when that is not known.
std::size_t tcp_received(int descriptor);

} // namespace tenancy::server
