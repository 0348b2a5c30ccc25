// Header and claims texts: what our reader takes, a plain JSON parser takes too, with the same
// values.
#include "core/claims.hpp"
#include "core/header.hpp"
#include "core/tenant.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include <nlohmann/json.hpp>

using namespace tenancy;
using namespace nlohmann::literals;

namespace {

void demand(bool truth) {
    if (!truth)
        std::abort();
}

void check_claims_text(std::string_view text) {
    static const core::IssuerPolicy policy;
    static const core::ClaimPath path = *core::ClaimPath::parse("/org/0");
    const auto claimed = core::claimed_issuer(text); // of anything, good JSON or not
    const auto claims = core::parse_claims(text, path);
    if (!claims)
        return;
    const auto json = nlohmann::json::parse(text);
    demand(claims->issuer.has_value() == json.contains("iss"));
    demand(!claims->issuer || json["iss"] == *claims->issuer);
    constexpr std::size_t kMostBytes = 512; // no longer one is trusted
    demand(!claims->issuer || claims->issuer->size() > kMostBytes ||
           (claimed && *claimed == *claims->issuer));
    demand(!claims->subject || json["sub"] == *claims->subject);
    demand(!claims->expires_us || *claims->expires_us > 0);
    const auto tenant = core::tenant_of(*claims);
    demand(!tenant || core::check_claim_value(*tenant) == core::Code::ok);
    demand(!tenant || json.at("/org/0"_json_pointer) == *tenant);
    const auto window = core::check_claims(policy, *claims, 1'700'000'000'000'000);
    demand(!window || window->from_us < window->until_us);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char *>(data), size);
    check_claims_text(text);
    const auto header = core::parse_header(text);
    if (header)
        demand(nlohmann::json::parse(text)["alg"] == core::algorithm_name(header->algorithm));
    return 0;
}
