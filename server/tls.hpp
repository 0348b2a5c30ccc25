// The listener's side of TLS: certificate and key from files, and sessions made of them.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <variant>

#include <openssl/ssl.h>

#include "config.hpp"

namespace tenancy::server {

struct TlsFree {
    void operator()(SSL *session) const { SSL_free(session); }
    void operator()(SSL_CTX *context) const { SSL_CTX_free(context); }
};
using TlsSession = std::unique_ptr<SSL, TlsFree>;
using TlsContext = std::shared_ptr<SSL_CTX>;

/// Reads both files and checks that they belong together; otherwise what is wrong and what to do.
std::variant<TlsContext, std::string> make_tls_context(const TlsConfig &config);

/// The context that new connections get; may be exchanged while others run.
class LiveTls {
public:
    void replace(TlsContext next);
    /// Null: no TLS, or memory is out (`is_on` tells).
    TlsSession session(int descriptor) const;
    bool is_on() const;

private:
    mutable std::mutex mutex_;
    TlsContext current_;
};

} // namespace tenancy::server
