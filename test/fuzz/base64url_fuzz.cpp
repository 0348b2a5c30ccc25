// Whatever decodes has exactly one spelling: encoding it again gives the input.
#include "core/base64url.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char *>(data), size);
    const auto bytes = tenancy::core::base64url_decode(text);
    if (bytes && tenancy::core::base64url_encode(*bytes) != text)
        std::abort();
    if (*tenancy::core::base64url_decode(tenancy::core::base64url_encode(text)) != text)
        std::abort();
    return 0;
}
