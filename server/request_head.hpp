// What the head of a request must be like before its body is read: clear about where the body ends,
// to us as to any relay in front of us, or one request is smuggled inside another.
#pragma once

#include <cstddef>
#include <string_view>

#include "http.hpp"

namespace tenancy::server {

/// Whether a line of a head, without its line break, says the same to us as to a relay. The library
/// leaves out a line without a colon, one that continues the line before (RFC 9112, section 5.2)
/// and one without a value, and keeps a lone CR, where a relay may see the length of a body.
bool is_clear_line(std::string_view line, bool is_request_line);

/// What the headers alone say against reading the body (RFC 9112, section 6).
Intake judge_head(const Headers &headers, std::size_t max_body, bool may_be_form);

} // namespace tenancy::server
