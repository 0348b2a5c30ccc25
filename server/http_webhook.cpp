#include "http_webhook.hpp"

#include <array>
#include <future>

#include <httplib.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace tenancy::server {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxAnswer = 65536;

httplib::Request request_of(const std::string &path, const std::string &body,
                            const Secret &secret) {
    httplib::Request request;
    request.method = "POST";
    request.path = path;
    request.body = body;
    request.headers = {{"Content-Type", "application/json"},
                       {"User-Agent", "tenancyd"},
                       {"X-Hub-Signature-256", body_signature(secret, body)}};
    return request;
}

// The status that came is what counts, whether the rest of the answer came or not.
Webhook::Result send(httplib::Client &client, httplib::Request request) {
    Webhook::Result result;
    std::size_t received = 0;
    request.response_handler = [&](const httplib::Response &response) {
        result.status = response.status;
        return true;
    };
    request.content_receiver = [&](const char * /*data*/, std::size_t size,
                                   std::uint64_t /*offset*/, std::uint64_t /*total*/) {
        received += size;
        return received <= kMaxAnswer;
    };
    httplib::Response response;
    auto error = httplib::Error::Success;
    if (client.send(request, response, error))
        result.status = response.status; // of an answer without a body the handler is not told
    else if (result.status == 0)
        result.reason = httplib::to_string(error);
    return result;
}

} // namespace

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

Webhook::Webhook(const AlertsConfig &config) : config_(config) {
    const std::string &url = config.webhook_url;
    const std::size_t slash = url.find_first_of("/?#", url.find("//") + 2);
    origin_ = url.substr(0, slash);
    path_ = slash == std::string::npos ? "/" : url.substr(slash);
    if (path_.front() != '/')
        path_.insert(0, "/");
}

// On a thread of its own, because the HTTP library has time-outs for each step but none for all.
Webhook::Result Webhook::deliver(const std::string &body,
                                 const std::atomic<bool> &is_stopping) const {
    httplib::Client client(origin_);
    client.set_connection_timeout(config_.timeout);
    client.set_read_timeout(config_.timeout);
    client.set_write_timeout(config_.timeout);
    if (!config_.ca_file.empty())
        client.set_ca_cert_path(config_.ca_file);
    auto sent = std::async(std::launch::async, [&] {
        return send(client, request_of(path_, body, config_.webhook_secret));
    });
    const auto deadline = Clock::now() + config_.timeout;
    const auto is_done = [&](int milliseconds) {
        return sent.wait_for(std::chrono::milliseconds(milliseconds)) == std::future_status::ready;
    };
    while (!is_done(50) && !is_stopping && Clock::now() < deadline) {
    }
    const bool in_time = is_done(0);
    // stop() has no effect before the connection is up, hence again and again.
    while (!is_done(20))
        client.stop();
    const Result result = sent.get();
    return in_time ? result : Result{0, "timeout_seconds"};
}

} // namespace tenancy::server
