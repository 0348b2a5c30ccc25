#include "core/base64url.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace tenancy::core {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t kForeign = 0xff; // any value above 63 marks a byte outside the alphabet

constexpr std::array<std::uint8_t, 256> make_values() {
    std::array<std::uint8_t, 256> values{};
    values.fill(kForeign);
    for (std::size_t i = 0; i < kAlphabet.size(); ++i)
        values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
    return values;
}
constexpr std::array<std::uint8_t, 256> kValues = make_values();

} // namespace

Result<std::string> base64url_decode(std::string_view text) {
    if (text.size() % 4 == 1)
        return Code::base64url_malformed;
    std::string bytes(text.size() * 6 / 8, '\0');
    char *next = bytes.data();
    std::uint32_t pending = 0; // only its low `bits` bits are still to be written
    unsigned bits = 0;
    for (const char c : text) {
        const std::uint8_t value = kValues[static_cast<unsigned char>(c)];
        if (value == kForeign)
            return Code::base64url_malformed;
        pending = pending << 6 | value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *next++ = static_cast<char>(pending >> bits & 0xff);
        }
    }
    // Unused bits must be zero: otherwise one token has several spellings and a list of token
    // digests can be walked around.
    if ((pending & ((1U << bits) - 1)) != 0)
        return Code::base64url_malformed;
    return bytes;
}

std::string base64url_encode(std::string_view bytes) {
    std::string text;
    text.reserve((bytes.size() * 4 + 2) / 3);
    std::uint32_t pending = 0;
    unsigned bits = 0;
    for (const char c : bytes) {
        pending = pending << 8 | static_cast<unsigned char>(c);
        bits += 8;
        while (bits >= 6) {
            bits -= 6;
            text.push_back(kAlphabet[pending >> bits & 0x3f]);
        }
    }
    if (bits != 0)
        text.push_back(kAlphabet[pending << (6 - bits) & 0x3f]);
    return text;
}

} // namespace tenancy::core
