// The way of a request: the middleware in its fixed order, then the handler, then metrics and log.
#pragma once

#include "http.hpp"
#include "request_context.hpp"
#include "services.hpp"

namespace tenancy::server {

/// Answers any request and never throws.
class Pipeline {
public:
    explicit Pipeline(Services &services) : services_(services) {}
    Response handle(const Request &request);
    /// Whether the large body of this request may be read: there is a place for it, its token is
    /// good, and its tenant has not more than its share of the places.
    Admitted admit(const Request &request);

private:
    void finish(RequestContext &context, Response &response);

    Services &services_;
};

} // namespace tenancy::server
