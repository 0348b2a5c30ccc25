// When a request has arrived so far that a thread may work on it without waiting for its sender.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace tenancy::server {

/// Bodies up to this size are waited for before a thread takes the request. A larger one, or one of
/// unknown length, is read by the thread, under an admission of its own.
inline constexpr std::size_t kMaxAwaitedBody = 65536;

/// Watches the bytes of one request as they come; looks at each of the head's bytes once.
class ArrivalGauge {
public:
    /// `bytes` begins with the request and has at least what it had the last time. True too for
    /// what will be refused whatever follows.
    bool is_whole(std::string_view bytes);
    /// The next request begins.
    void reset() { *this = ArrivalGauge(); }

private:
    std::size_t scanned_ = 0;
    std::optional<std::size_t> needed_; // known once the head is there
};

} // namespace tenancy::server
