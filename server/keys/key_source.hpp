// Where the key set of one issuer is, and how it is got: a file, a fixed address, or OpenID Connect
// discovery. What is in the set is judged by the database.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "../config.hpp"

namespace tenancy::server::keys {

struct KeySet {
    std::string jwks;
    bool is_unchanged = false; // the set is the one that accept() was last called for
    std::optional<std::chrono::seconds> max_age;
    std::string problem; // empty when there is a set; holds no byte of it
};

class KeySource {
public:
    KeySource(const IssuerConfig &issuer, const KeySyncConfig &config)
        : issuer_(issuer), config_(config) {}

    KeySet fetch();
    /// The set of the last fetch() is in the database now: need not come again.
    void accept();
    /// Nothing is known about what the database holds.
    void forget();

private:
    KeySet read_file() const;
    KeySet fetch_from(const std::string &address);
    std::string discover(std::string &problem) const;

    const IssuerConfig &issuer_;
    const KeySyncConfig &config_;
    std::string fetched_etag_, fetched_jwks_, fetched_url_;
    std::string etag_, jwks_, url_; // of what was accepted
};

/// The jwks_uri of a discovery document (OpenID Connect Discovery 1.0 section 4.3) whose "issuer"
/// is `issuer`, byte by byte; nothing, and why, otherwise.
std::optional<std::string> jwks_uri_of(const std::string &document, const std::string &issuer,
                                       std::string &problem);

} // namespace tenancy::server::keys
