#include "http_webhook.hpp"

#include <array>
#include <stdexcept>
#include <string_view>

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace tenancy::server {

std::string body_signature(const Secret &secret, const std::string &body) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int length = 0;
    const std::string &key = secret.reveal();
    if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
             reinterpret_cast<const unsigned char *>(body.data()), body.size(), digest.data(),
             &length) == nullptr)
        throw std::runtime_error("HMAC-SHA256 is not available");
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text = "sha256=";
    for (std::size_t i = 0; i < length; ++i) {
        text += digits[digest.at(i) >> 4U];
        text += digits[digest.at(i) & 0xFU];
    }
    return text;
}

Webhook::Webhook(const AlertsConfig &config)
    : secret_(config.webhook_secret), post_(config.webhook_url, config.ca_file, config.timeout) {}

HttpPost::Result Webhook::deliver(const std::string &body,
                                  const std::atomic<bool> &is_stopping) const {
    return post_.post(body, {{"X-Hub-Signature-256", body_signature(secret_, body)}}, is_stopping);
}

} // namespace tenancy::server
