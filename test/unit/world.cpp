#include "world.hpp"

#include "provider.hpp"

#include <memory>
#include <utility>

namespace tenancy::test {
namespace {

core::TrustedKey trust(const Signer &signer, const char *kid) {
    core::PublicKey key = signer.public_key(crypto());
    const core::Algorithm algorithm = key.algorithm();
    return {kid, algorithm, std::move(key)};
}

} // namespace

const core::Crypto &crypto() {
    static const std::unique_ptr<core::Crypto> instance = [] {
        auto made = core::Crypto::create(options_from_environment());
        return made ? std::move(*made) : nullptr;
    }();
    return *instance;
}

World::World() {
    apply(policy());
    core::Issuer b{policy(kIssuerB), {}};
    b.keys.push_back(trust(Signer::es256(1), "es"));
    issuers_.add(std::move(b));
}

void World::apply(core::IssuerPolicy policy) {
    core::Issuer a{std::move(policy), {}};
    a.keys.push_back(trust(Signer::es256(), "es"));
    a.keys.push_back(trust(Signer::rs256(), "rs"));
    issuers_.add(std::move(a));
}

core::IssuerPolicy World::policy(std::string_view issuer) {
    core::IssuerPolicy policy;
    policy.issuer = issuer;
    policy.audiences = {"agent", "other"};
    policy.tenant_claim = *core::ClaimPath::parse("tenant");
    return policy;
}

Json World::header(std::string_view algorithm) {
    return {{"alg", algorithm}, {"kid", algorithm == "ES256" ? "es" : "rs"}};
}

Json World::claims() {
    return {{"iss", kIssuerA},  {"sub", "alice"},   {"aud", "agent"}, {"tenant", "acme"},
            {"exp", kNow + 60}, {"iat", kNow - 60}, {"jti", "t-1"}};
}

std::string World::token(const Json &header, const Json &claims) {
    return raw_token(header.dump(), claims.dump());
}

std::string World::raw_token(std::string_view header, std::string_view claims) {
    const bool is_rsa = header.find("RS256") != std::string_view::npos;
    return is_rsa ? Signer::rs256().token("RS256", header, claims)
                  : Signer::es256().token("ES256", header, claims);
}

Code World::verdict_with(std::string_view name, std::string_view json_value) const {
    Json rest = claims();
    rest.erase(std::string(name));
    std::string text = rest.dump();
    text.pop_back();
    text.append(",\"").append(name).append("\":").append(json_value).append("}");
    return verdict(raw_token(header().dump(), text));
}

} // namespace tenancy::test
