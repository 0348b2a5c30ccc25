// One GET whose answer is small: bounded in time and size, follows no redirect, checks
// certificates.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace tenancy::server {

struct FetchLimits {
    std::size_t max_bytes;
    std::chrono::milliseconds deadline; // for all of it, connecting included
    std::string ca_file;                // empty: the system's certificates
};

struct Fetched {
    int status = 0;      // 200 or 304; anything else is a problem
    std::string body;    // of a 200
    std::string etag;    // as received; empty when there is none
    std::string caching; // the Cache-Control header
    std::string problem; // empty when all went well; holds no byte of the answer
};

/// Fetches origin + path. `etag`, unless empty, asks for the document only if it is another one.
Fetched http_fetch(const std::string &origin, const std::string &path, const std::string &etag,
                   const FetchLimits &limits);

} // namespace tenancy::server
