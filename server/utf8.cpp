#include "utf8.hpp"

namespace tenancy::server {

namespace {

unsigned byte_at(std::string_view text, std::size_t at) {
    return static_cast<unsigned char>(text[at]);
}

// Smallest code point that needs a sequence of this many bytes.
constexpr unsigned kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};

} // namespace

std::size_t utf8_length(std::string_view text, std::size_t at) {
    const unsigned lead = byte_at(text, at);
    if (lead < 0x80)
        return 1;
    if (lead >= 0xF0)
        return 4;
    return lead >= 0xE0 ? 3 : 2;
}

bool is_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const unsigned lead = byte_at(text, at);
        const std::size_t length = utf8_length(text, at);
        if (length == 1) {
            ++at;
            continue;
        }
        if (lead < 0xC2 || lead > 0xF4 || text.size() - at < length)
            return false;
        unsigned point = lead & (0xFFU >> (length + 1));
        for (std::size_t i = 1; i < length; ++i) {
            const unsigned next = byte_at(text, at + i);
            if ((next & 0xC0U) != 0x80)
                return false;
            point = (point << 6U) | (next & 0x3FU);
        }
        if (point < kSmallest[length] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
            return false;
        at += length;
    }
    return true;
}

} // namespace tenancy::server
