// UTF-8 code points and the few classes of them that identifiers must not contain.
#pragma once

#include "core/pure.hpp"

#include <cstddef>
#include <optional>
#include <string_view>

namespace tenancy::core {

/// Takes the first code point off a non-empty `text`. Nothing when the bytes are not well-formed
/// UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
std::optional<char32_t> take_code_point(std::string_view &text);

/// C0, DEL and C1.
bool is_control(char32_t c);

/// Characters that change how the text around them is displayed, or that end a line: bidirectional
/// controls, line and paragraph separator, byte order mark.
bool is_format_control(char32_t c);

/// Unicode general category Zs.
bool is_space(char32_t c);

/// 1..max_bytes bytes of well-formed UTF-8 without control characters.
bool is_plain_text(std::string_view text, std::size_t max_bytes);

} // namespace tenancy::core
