// One delivery of an alert over HTTP: signed, over a checked certificate, within a time-out.
#pragma once

#include <atomic>
#include <string>

#include "config.hpp"
#include "http_post.hpp"

namespace tenancy::server {

/// "sha256=" and the HMAC-SHA256 of a body in hexadecimal (RFC 2104), as X-Hub-Signature-256 has
/// it.
std::string body_signature(const Secret &secret, const std::string &body);

class Webhook {
public:
    explicit Webhook(const AlertsConfig &config);

    /// Posts a JSON body; takes as long as the configured time-out at most, and ends at once when
    /// `is_stopping` becomes true.
    HttpPost::Result deliver(const std::string &body, const std::atomic<bool> &is_stopping) const;

private:
    const Secret secret_;
    const HttpPost post_;
};

} // namespace tenancy::server
