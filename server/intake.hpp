// Whether a request's body is to be read, as its head alone tells.
#pragma once

#include <cstddef>

#include "http.hpp"

namespace tenancy::server {

/// What the headers alone say against reading the body (RFC 9112, section 6: ambiguous lengths are
/// how one request is smuggled inside another). `may_be_form`: multipart/form-data is fine, too.
Intake judge_head(const Headers &headers, std::size_t max_body, bool may_be_form);

} // namespace tenancy::server
