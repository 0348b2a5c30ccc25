#include "arrival.hpp"

#include <charconv>

#include "http.hpp"

namespace tenancy::server {

namespace {

// The body's bytes to wait for. This decides only when the request is read, never how: what is
// ambiguous is refused by the reader (intake.cpp).
std::size_t awaited_body(std::string_view head) {
    std::size_t length = 0;
    while (!head.empty()) {
        const std::size_t end = head.find("\r\n");
        const std::string_view line = head.substr(0, end);
        head.remove_prefix(end == std::string_view::npos ? head.size() : end + 2);
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos)
            continue;
        const std::string_view name = line.substr(0, colon);
        // A client that expects "100 Continue" sends nothing before a thread has answered it.
        if (equals_ignoring_case(name, "Expect") || equals_ignoring_case(name, "Transfer-Encoding"))
            return 0;
        if (!equals_ignoring_case(name, "Content-Length"))
            continue;
        const std::size_t start = line.find_first_not_of(" \t", colon + 1);
        if (start == std::string_view::npos ||
            std::from_chars(line.data() + start, line.data() + line.size(), length).ec !=
                std::errc())
            return 0;
    }
    return length <= kMaxAwaitedBody ? length : 0;
}

} // namespace

bool ArrivalGauge::is_whole(std::string_view bytes) {
    for (; !needed_ && scanned_ < bytes.size(); ++scanned_) {
        if (bytes[scanned_] != '\n')
            continue;
        const std::string_view head = bytes.substr(0, scanned_ + 1);
        if (!head.ends_with("\r\n"))
            needed_ = 0; // a bare LF: refused as it is
        else if (head.ends_with("\r\n\r\n"))
            needed_ = head.size() + awaited_body(head);
    }
    return needed_ && bytes.size() >= *needed_;
}

} // namespace tenancy::server
