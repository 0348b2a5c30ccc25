#include "tls.hpp"

#include <utility>

#include <openssl/err.h>

namespace tenancy::server {

namespace {

// TLS 1.2 with forward secrecy and authenticated encryption alone (RFC 9325, section 4.2); those of
// TLS 1.3 are all like that.
constexpr const char *kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

std::string problem_of(const std::string &file) {
    const unsigned long code = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(code);
    ERR_clear_error();
    return file + ": " + (reason != nullptr ? reason : "cannot be used") + ". ";
}

} // namespace

std::variant<TlsContext, std::string> make_tls_context(const TlsConfig &config) {
    ERR_clear_error();
    TlsContext context(SSL_CTX_new(TLS_server_method()), TlsFree());
    if (context == nullptr)
        return std::string("TLS cannot be set up: out of memory.");
    SSL_CTX_set_min_proto_version(context.get(),
                                  config.needs_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(context.get(), kCiphers);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                           SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                        SSL_MODE_RELEASE_BUFFERS);
    if (SSL_CTX_use_certificate_chain_file(context.get(), config.certificate_file.c_str()) != 1)
        return problem_of(config.certificate_file) +
               "It must hold the certificate and those between it and the root, as PEM.";
    if (SSL_CTX_use_PrivateKey_file(context.get(), config.key_file.c_str(), SSL_FILETYPE_PEM) != 1)
        return problem_of(config.key_file) +
               "It must hold the certificate's private key, as PEM without a passphrase.";
    return context;
}

void LiveTls::replace(TlsContext next) {
    const std::lock_guard lock(mutex_);
    current_ = std::move(next);
}

bool LiveTls::is_on() const {
    const std::lock_guard lock(mutex_);
    return current_ != nullptr;
}

TlsSession LiveTls::session(int descriptor) const {
    const std::lock_guard lock(mutex_);
    if (current_ == nullptr)
        return nullptr;
    TlsSession session(SSL_new(current_.get()));
    if (session == nullptr || SSL_set_fd(session.get(), descriptor) != 1)
        return nullptr;
    SSL_set_accept_state(session.get()); // the first read shakes hands
    return session;
}

} // namespace tenancy::server
