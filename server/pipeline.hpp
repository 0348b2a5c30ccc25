// The way of a request: the middleware in its fixed order, then the handler, then metrics and log.
#pragma once

#include "http.hpp"
#include "services.hpp"

namespace tenancy::server {

/// Answers any request and never throws.
class Pipeline {
public:
    explicit Pipeline(Services &services) : services_(services) {}
    Response handle(const Request &request);

private:
    Services &services_;
};

} // namespace tenancy::server
