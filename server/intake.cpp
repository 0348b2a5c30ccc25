#include "intake.hpp"

#include <algorithm>
#include <string>
#include <string_view>

#include "multipart.hpp"

namespace tenancy::server {

namespace {

bool is_json_type(std::string_view type) {
    type = type.substr(0, type.find(';'));
    while (!type.empty() && type.back() == ' ')
        type.remove_suffix(1);
    constexpr std::string_view kSuffix = "+json";
    return equals_ignoring_case(type, "application/json") ||
           (type.size() > kSuffix.size() &&
            equals_ignoring_case(type.substr(type.size() - kSuffix.size()), kSuffix));
}

// RFC 9110, section 5.6.2. "Content-Length " is not Content-Length, but a relay may think so.
bool is_field_name(std::string_view name) {
    constexpr std::string_view kSpecials = "!#$%&'*+-.^_`|~";
    return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               kSpecials.find(c) != std::string_view::npos;
    });
}

} // namespace

Intake judge_head(const Headers &headers, std::size_t max_body, bool may_be_form) {
    for (const Header &field : headers.all())
        if (!is_field_name(field.name))
            return Intake::malformed;
    const auto length = headers.find("Content-Length");
    const auto transfer = headers.find("Transfer-Encoding");
    if (headers.count("Content-Length") > 1 || headers.count("Transfer-Encoding") > 1 ||
        (length && transfer) || (transfer && !equals_ignoring_case(*transfer, "chunked")))
        return Intake::malformed;
    if (length && (length->empty() || length->size() > 18 ||
                   length->find_first_not_of("0123456789") != std::string_view::npos))
        return Intake::malformed;
    const unsigned long long bytes = length ? std::stoull(std::string(*length)) : 0;
    if (bytes > max_body)
        return Intake::too_large;
    const auto type = headers.find("Content-Type");
    const auto coding = headers.find("Content-Encoding");
    if ((bytes > 0 || transfer) &&
        ((type && !is_json_type(*type) && !(may_be_form && is_form_type(*type))) ||
         (coding && !equals_ignoring_case(*coding, "identity"))))
        return Intake::unsupported_media;
    return Intake::complete;
}

} // namespace tenancy::server
