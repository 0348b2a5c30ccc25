// The examples of RFC 7515 and RFC 7520.
#include "vectors.hpp"

#include "core/jwk.hpp"

namespace tenancy::test {
namespace {

// The public half of a JWK: the RFC prints private keys with its examples.
Json public_half(Json key) {
    for (const char *name : {"d", "p", "q", "dp", "dq", "qi", "oth"})
        key.erase(name);
    return key;
}

bool is_ours(const Json &key, const std::string &alg) {
    return (key.at("kty") == "RSA" && alg == "RS256") ||
           (key.at("kty") == "EC" && key.value("crv", "") == "P-256" && alg == "ES256");
}

// RFC 7520 section 3: a bare key. Public RSA and P-256 keys are taken, everything else is not.
void run_key(const core::Crypto &crypto, const Json &key, Tally &tally) {
    const bool is_public = !key.contains("d") && !key.contains("k");
    const bool is_known = key.at("kty") == "RSA" || key.value("crv", "") == "P-256";
    tally.note("key of kty " + key.at("kty").get<std::string>(), is_public && is_known,
               static_cast<bool>(core::parse_jwk(crypto, key.dump())));
}

} // namespace

Tally run_rfc7515(const core::Crypto &crypto, const Json &file) {
    Tally tally;
    for (const Json &vector : file.at("vectors")) {
        const bool expected =
            vector.at("result") == "valid" && is_ours(vector.at("jwk"), vector.at("alg"));
        tally.note(vector.at("id"), expected,
                   accepts_jws(crypto, vector.at("jwk").dump(), vector.at("jws")));
    }
    return tally;
}

Tally run_rfc7520(const core::Crypto &crypto, const Json &file) {
    Tally tally;
    if (file.contains("kty")) {
        run_key(crypto, file, tally);
        return tally;
    }
    if (!file.contains("output") || !file.at("input").contains("key")) {
        tally.skip(1);
        return tally;
    }
    const Json &output = file.at("output");
    const Json &key = file.at("input").at("key");
    const Json alg = file.at("input").value("alg", Json());
    if (output.contains("compact") && key.is_object()) {
        const bool is_attached = !file.value("title", "").starts_with("Signature with Detached");
        const bool expected = is_attached && alg.is_string() && is_ours(key, alg);
        tally.note("compact", expected,
                   accepts_jws(crypto, public_half(key).dump(), output.at("compact")));
    }
    for (const char *form : {"json", "json_flat"})
        if (output.contains(form))
            tally.note(form, false,
                       accepts_jws(crypto, public_half(key.is_array() ? key.at(0) : key).dump(),
                                   output.at(form).dump()));
    return tally;
}

} // namespace tenancy::test
