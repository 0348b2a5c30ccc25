// Key sets: a key that comes out is the same when it is imported again from its canonical form.
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
            // OpenSSL tests a modulus with random bases, so an unsound one can fail the second
            // time.
            if (again ? again->thumbprint != key.thumbprint
                      : key.algorithm != core::Algorithm::rs256)
                std::abort();
        }
    (void)core::parse_jwk(**crypto, json);
    if (ERR_peek_error() != 0)
        std::abort();
    return 0;
}
