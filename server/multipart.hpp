// multipart/form-data (RFC 7578, RFC 2046 section 5.1): one pass over the body, nothing copied. The
// HTTP library's own parser matches regular expressions against the client's headers, whose
// recursion a long line can drive out of the stack.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tenancy::server {

struct FormPart {
    std::string name;
    std::optional<std::string> filename; // given: the part is a file
    std::string_view type;               // its Content-Type as sent, or empty
    std::string_view content;            // points into the body
};

/// True for a Content-Type of multipart/form-data.
bool is_form_type(std::string_view content_type);

/// The parts in order; nothing when the body is not such a form, is cut off, has more than 16 parts
/// or a part with more than 8192 bytes of headers.
std::optional<std::vector<FormPart>> parse_multipart(std::string_view body,
                                                     std::string_view content_type);

} // namespace tenancy::server
