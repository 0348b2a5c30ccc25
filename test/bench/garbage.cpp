// What refusing a token costs, by kind, in the core alone: each beside the verification of a good
// one.
#include "../unit/signer.hpp"

#include "core/base64url.hpp"
#include "core/verify.hpp"

#include <chrono>
#include <cstdio>
#include <string>

namespace {

using namespace tenancy; // NOLINT: a program of one file

constexpr std::int64_t kNowUs = 1'700'000'000'000'000;
constexpr int kRounds = 300;

core::IssuerSet make_issuers(const core::Crypto &crypto) {
    core::IssuerPolicy policy;
    policy.issuer = "https://a.example/";
    policy.audiences = {"agent"};
    policy.tenant_claim = *core::ClaimPath::parse("tenant");
    core::Issuer issuer{policy, {}};
    core::PublicKey key = test::Signer::es256().public_key(crypto);
    issuer.keys.push_back({"es", key.algorithm(), std::move(key)});
    core::IssuerSet issuers;
    issuers.add(std::move(issuer));
    return issuers;
}

std::string claims(const std::string &issuer, const std::string &rest, long expiry = 1700000060) {
    return R"({"iss":")" + issuer + R"(","sub":"alice","aud":"agent","tenant":"acme","exp":)" +
           std::to_string(expiry) + rest + "}";
}

// Fills a token up to about 13 kB with members of many small values, the dearest to parse.
std::string padding() {
    std::string pad = R"(,"pad":[)";
    for (int i = 0; i < 3200; ++i)
        pad += "1,";
    return pad + "1]";
}

// The dearest header that is still read: 4 kB once encoded.
std::string many_members() {
    std::string header = R"({"alg":"ES256","kid":"es")";
    for (int i = 100; header.size() < 3050; ++i)
        header += ",\"" + std::to_string(i) + "\":1";
    return header + "}";
}

std::string signed_token(const std::string &payload, const char *kid = "es") {
    return test::Signer::es256().token(
        "ES256", std::string(R"({"alg":"ES256","kid":")") + kid + R"("})", payload);
}

std::string with_bad_signature(std::string token) {
    const std::size_t at = token.rfind('.') + 5;
    token[at] = token[at] == 'A' ? 'B' : 'A';
    return token;
}

double microseconds(const core::Crypto &crypto, const core::IssuerSet &issuers,
                    const std::string &token) {
    double best = 1e9;
    for (int round = 0; round < kRounds; ++round) {
        const auto begin = std::chrono::steady_clock::now();
        (void)core::verify(crypto, issuers, token, kNowUs);
        const std::chrono::duration<double, std::micro> spent =
            std::chrono::steady_clock::now() - begin;
        best = std::min(best, spent.count());
    }
    return best;
}

} // namespace

int main() {
    const auto crypto = core::Crypto::create();
    if (!crypto)
        return 1;
    const core::IssuerSet issuers = make_issuers(**crypto);
    const std::string good = signed_token(claims("https://a.example/", ""));
    const double cold = microseconds(**crypto, issuers, good);
    const auto report = [&](const char *kind, const std::string &token) {
        const double cost = microseconds(**crypto, issuers, token);
        std::printf("%-44s %9.3f us   %.2f x a good one   (%zu bytes, %s)\n", kind, cost,
                    cost / cold, token.size(),
                    core::code_name(core::verify(**crypto, issuers, token, kNowUs).error()));
    };
    const std::string big = claims("https://a.example/", padding());
    report("a good token", good);
    report("a good token of 9 kB", signed_token(big));
    report("forged", with_bad_signature(good));
    report("forged, large", with_bad_signature(signed_token(big)));
    report("expired", signed_token(claims("https://a.example/", "", 1)));
    report("expired, large", signed_token(claims("https://a.example/", padding(), 1)));
    report("unknown issuer", signed_token(claims("https://b.example/", "")));
    report("unknown issuer, large", signed_token(claims("https://b.example/", padding())));
    report("unknown kid, large", signed_token(big, "other"));
    report("no issuer, large", signed_token(R"({"sub":"alice")" + padding() + "}"));
    report("issuer in escapes, large",
           signed_token(R"({"\u0069ss":"https:\/\/b.example")" + padding() + "}"));
    report("deep nesting, large", signed_token(std::string(9'000, '[')));
    report("a header of many members", core::base64url_encode(many_members()) + ".e30.e30");
    report("13 kB of letters", std::string(13'000, 'a'));
    report("13 kB header", std::string(13'000, 'a') + ".e30.e30");
    const std::string header = core::base64url_encode(R"({"alg":"ES256","kid":"es"})");
    report("13 kB payload, not JSON", header + '.' + std::string(13'000, 'a') + ".e30");
    report("13 kB signature", good.substr(0, good.rfind('.') + 1) + std::string(13'000, 'a'));
    return 0;
}
