#include "core/utf8.hpp"

namespace tenancy::core {
namespace {

struct Lead {
    std::size_t length; // 0: not a lead byte
    char32_t bits;
    char32_t smallest; // anything below was spelled too long
};

Lead lead_of(unsigned char byte) {
    if (byte < 0x80)
        return {1, byte, 0};
    if (byte >> 5 == 0x6)
        return {2, byte & 0x1fU, 0x80};
    if (byte >> 4 == 0xe)
        return {3, byte & 0x0fU, 0x800};
    if (byte >> 3 == 0x1e)
        return {4, byte & 0x07U, 0x10000};
    return {0, 0, 0};
}

} // namespace

std::optional<char32_t> take_code_point(std::string_view &text) {
    const Lead lead = lead_of(static_cast<unsigned char>(text.front()));
    if (lead.length == 0 || lead.length > text.size())
        return std::nullopt;
    char32_t c = lead.bits;
    for (std::size_t i = 1; i < lead.length; ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte >> 6 != 0x2)
            return std::nullopt;
        c = c << 6 | (byte & 0x3fU);
    }
    const bool is_surrogate = c >= 0xd800 && c <= 0xdfff;
    if (c < lead.smallest || c > 0x10ffff || is_surrogate)
        return std::nullopt;
    text.remove_prefix(lead.length);
    return c;
}

bool is_control(char32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

bool is_format_control(char32_t c) {
    return c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

bool is_space(char32_t c) {
    return c == 0x20 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

bool is_plain_text(std::string_view text, std::size_t max_bytes) {
    if (text.empty() || text.size() > max_bytes)
        return false;
    while (!text.empty()) {
        const auto c = take_code_point(text);
        if (!c || is_control(*c))
            return false;
    }
    return true;
}

} // namespace tenancy::core
