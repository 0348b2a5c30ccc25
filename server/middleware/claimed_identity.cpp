#include "middleware.hpp"

#include "../utf8.hpp"

namespace tenancy::server {

namespace {

// False when the header is there twice with different values or is no text.
bool merge_claim(const Request &request, std::string_view name, std::optional<std::string> &claim) {
    for (const Header &field : request.headers.all()) {
        if (!equals_ignoring_case(field.name, name))
            continue;
        if (!is_utf8(field.value) || field.value.find('\0') != std::string::npos)
            return false;
        if (claim && *claim != field.value)
            return false;
        claim = field.value;
    }
    return true;
}

} // namespace

Refusal collect_claimed_identity(RequestContext &context, const Request &request) {
    const bool consistent = merge_claim(request, "X-Tenant", context.x_tenant) &&
                            merge_claim(request, "X-Tenant-ID", context.x_tenant) &&
                            merge_claim(request, "X-Auth-Subject", context.x_auth_subject);
    return consistent ? std::nullopt : Refusal(Code::tenant_mismatch);
}

} // namespace tenancy::server
