// One delivery of an alert over HTTP: signed, over a checked certificate, within a time-out.
#pragma once

#include <atomic>
#include <string>

#include "config.hpp"

namespace tenancy::server {

/// "sha256=" and the HMAC-SHA256 of a body in hexadecimal (RFC 2104), as X-Hub-Signature-256 has
/// it.
std::string body_signature(const Secret &secret, const std::string &body);

class Webhook {
public:
    explicit Webhook(const AlertsConfig &config);

    /// What came of a delivery: the receiver's status, or 0 and a reason.
    struct Result {
        int status = 0;
        std::string reason;
        /// Only 2xx is a delivery; a redirect is not followed.
        bool is_delivered() const { return status >= 200 && status < 300; }
    };

    /// Posts a JSON body; takes as long as the configured time-out at most, and ends at once when
    /// `is_stopping` becomes true.
    Result deliver(const std::string &body, const std::atomic<bool> &is_stopping) const;

private:
    const AlertsConfig config_;
    std::string origin_; // scheme, host and port
    std::string path_;
};

} // namespace tenancy::server
