// Key sets: no key comes out that cannot be imported again from its canonical form.
#include "core/jwks.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include <openssl/err.h>

using namespace tenancy;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    static const auto crypto = core::Crypto::create();
    const std::string_view json(reinterpret_cast<const char *>(data), size);
    const auto jwks = core::parse_jwks(**crypto, json);
    if (jwks && jwks->keys.empty())
        std::abort();
    if (jwks)
        for (const core::Jwk &key : jwks->keys) {
            const auto again = core::parse_jwk(**crypto, key.canonical);
            if (!again || again->thumbprint != key.thumbprint)
                std::abort();
        }
    (void)core::parse_jwk(**crypto, json);
    if (ERR_peek_error() != 0)
        std::abort();
    return 0;
}
