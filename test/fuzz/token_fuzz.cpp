// Whole tokens against two real keys. The only signed texts that exist for these keys name no
// tenant: whatever the fuzzer finds, a grant would be a forgery.
#include "../unit/rfc7515.hpp"

#include "core/jwk.hpp"
#include "core/verify.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

#include <openssl/err.h>

using namespace tenancy;

namespace {

constexpr std::int64_t kBeforeExpiry = 1'300'819'000'000'000; // the RFC's tokens expire at ...380

struct World {
    std::unique_ptr<core::Crypto> crypto;
    core::IssuerSet issuers;
};

World make_world() {
    World world;
    world.crypto = std::move(*core::Crypto::create());
    core::Issuer joe;
    joe.policy.issuer = "joe";
    joe.policy.require_kid = false;
    joe.policy.require_subject = false;
    joe.policy.require_audience = false;
    joe.policy.tenant_claim = *core::ClaimPath::parse("http://example.com/is_root");
    for (const char *json : {test::kRfc7515A2Jwk, test::kRfc7515A3Jwk}) {
        auto jwk = core::parse_jwk(*world.crypto, json);
        joe.keys.push_back({"", jwk->algorithm, std::move(jwk->key)});
    }
    world.issuers.add(std::move(joe));
    return world;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    static const World world = make_world();
    const std::string_view token(reinterpret_cast<const char *>(data), size);
    if (core::verify(*world.crypto, world.issuers, token, kBeforeExpiry))
        std::abort();
    if (ERR_peek_error() != 0)
        std::abort();
    (void)core::payload_json(token);
    return 0;
}
