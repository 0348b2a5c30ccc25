#include "http_fetch.hpp"

#include <httplib.h>

#include "http_deadline.hpp"

namespace tenancy::server {

namespace {

constexpr int kOk = 200;
constexpr int kNotModified = 304;

std::string problem_with(int status) {
    if (status >= 300 && status < 400)
        return "answered with a redirect, which is not followed; configure the address it leads to";
    return "answered with status " + std::to_string(status);
}

httplib::Headers headers_of(const std::string &etag) {
    httplib::Headers headers = {{"Accept", "application/json, application/jwk-set+json"},
                                {"Accept-Encoding", "identity"},
                                {"User-Agent", "tenancyd"}};
    // What came from outside must not end a header line.
    const bool is_plain = etag.find_first_of("\r\n") == std::string::npos;
    if (!etag.empty() && is_plain)
        headers.emplace("If-None-Match", etag);
    return headers;
}

} // namespace

Fetched http_fetch(const std::string &origin, const std::string &path, const std::string &etag,
                   const FetchLimits &limits) {
    httplib::Client client(origin);
    client.set_follow_location(false);
    client.set_connection_timeout(limits.deadline);
    client.set_read_timeout(limits.deadline);
    client.set_write_timeout(limits.deadline);
    if (!limits.ca_file.empty())
        client.set_ca_cert_path(limits.ca_file);
    Fetched fetched;
    bool is_too_large = false;
    HttpDeadline deadline(client, limits.deadline);
    const auto result = client.Get(
        path, headers_of(etag),
        [&](const httplib::Response &response) {
            fetched.status = response.status;
            return response.status == kOk || response.status == kNotModified;
        },
        [&](const char *data, std::size_t size) {
            is_too_large = fetched.body.size() + size > limits.max_bytes;
            if (!is_too_large)
                fetched.body.append(data, size);
            return !is_too_large;
        });
    const bool is_wanted =
        fetched.status == kOk || (fetched.status == kNotModified && !etag.empty());
    if (deadline.finish())
        fetched.problem = "did not answer in time";
    else if (is_too_large)
        fetched.problem = "answered with more than " + std::to_string(limits.max_bytes) + " bytes";
    else if (fetched.status != 0 && !is_wanted)
        fetched.problem = problem_with(fetched.status);
    else if (!result)
        fetched.problem = "cannot be reached: " + httplib::to_string(result.error());
    if (fetched.problem.empty()) {
        fetched.etag = result->get_header_value("ETag");
        fetched.caching = result->get_header_value("Cache-Control");
    }
    return fetched;
}

} // namespace tenancy::server
