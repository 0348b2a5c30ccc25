#include "middleware.hpp"

namespace tenancy::server {

Refusal check_limits(const Request &request) {
    switch (request.intake) {
    case Intake::complete:
        return std::nullopt;
    case Intake::malformed:
        return Code::malformed_request;
    case Intake::too_large:
        return Code::too_large;
    case Intake::uri_too_long:
        return Code::uri_too_long;
    case Intake::unsupported_media:
        return Code::unsupported_media;
    case Intake::timed_out:
        return Code::request_timeout;
    }
    return Code::internal;
}

} // namespace tenancy::server
