// POST of a small JSON body to one address: over a checked certificate, within a time-out.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <string>

namespace tenancy::server {

class HttpPost {
public:
    /// `url` is http or https; `ca_file` empty: the system's certificates. `timeout` is for all of
    /// one POST.
    HttpPost(const std::string &url, std::string ca_file, std::chrono::milliseconds timeout);

    /// What came of it: the receiver's status, or 0 and a reason.
    struct Result {
        int status = 0;
        std::string reason;
        /// Only 2xx is a delivery; a redirect is not followed.
        bool is_delivered() const { return status >= 200 && status < 300; }
    };

    /// Takes as long as the time-out at most, and ends at once when `is_stopping` becomes true.
    Result post(const std::string &body, const std::map<std::string, std::string> &headers,
                const std::atomic<bool> &is_stopping) const;

private:
    std::string origin_; // scheme, host and port
    std::string path_;
    std::string ca_file_;
    std::chrono::milliseconds timeout_;
};

} // namespace tenancy::server
