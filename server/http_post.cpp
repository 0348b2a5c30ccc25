#include "http_post.hpp"

#include <httplib.h>

#include "http_deadline.hpp"

namespace tenancy::server {

namespace {

constexpr std::size_t kMaxAnswer = 65536;

// The status that came is what counts, whether the rest of the answer came or not.
HttpPost::Result send(httplib::Client &client, httplib::Request request) {
    HttpPost::Result result;
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

HttpPost::HttpPost(const std::string &url, std::string ca_file, std::chrono::milliseconds timeout)
    : ca_file_(std::move(ca_file)), timeout_(timeout) {
    const std::size_t slash = url.find_first_of("/?#", url.find("//") + 2);
    origin_ = url.substr(0, slash);
    path_ = slash == std::string::npos ? "/" : url.substr(slash);
    if (path_.front() != '/')
        path_.insert(0, "/");
}

HttpPost::Result HttpPost::post(const std::string &body,
                                const std::map<std::string, std::string> &headers,
                                const std::atomic<bool> &is_stopping) const {
    httplib::Client client(origin_);
    client.set_connection_timeout(timeout_);
    client.set_read_timeout(timeout_);
    client.set_write_timeout(timeout_);
    if (!ca_file_.empty())
        client.set_ca_cert_path(ca_file_);
    httplib::Request request;
    request.method = "POST";
    request.path = path_;
    request.body = body;
    request.headers = {{"Content-Type", "application/json"}, {"User-Agent", "tenancyd"}};
    for (const auto &[name, value] : headers)
        request.headers.emplace(name, value);
    HttpDeadline deadline(client, timeout_, &is_stopping);
    const Result result = send(client, std::move(request));
    return deadline.finish() ? Result{0, "timeout_seconds"} : result;
}

} // namespace tenancy::server
