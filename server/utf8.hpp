// UTF-8 checks of input.
#pragma once

#include <cstddef>
#include <string_view>

namespace tenancy::server {

/// Well-formed UTF-8 as in RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

/// Length in bytes of the character that starts at text[at], which must be well-formed.
std::size_t utf8_length(std::string_view text, std::size_t at);

} // namespace tenancy::server
