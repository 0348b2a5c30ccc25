// Project Wycheproof: tokens, keys, raw ECDSA and raw RSA signatures.
#include "vectors.hpp"

#include "core/signature.hpp"

namespace tenancy::test {
namespace {

using core::Code;
using core::PublicKey;

std::string name_of(const Json &test) {
    return "tc " + test.at("tcId").dump() + " " + test.value("comment", "");
}

// "acceptable" means that a strict library may refuse: ours does.
bool is_valid(const Json &test) {
    return test.at("result") == "valid";
}

// The key of a group may be one JWK or a set of one.
const Json &first_key(const Json &keys) {
    return keys.contains("keys") ? keys.at("keys").at(0) : keys;
}

bool is_ours(const Json &keys) {
    const Json &key = first_key(keys);
    const std::string alg = key.value("alg", "");
    return (key.at("kty") == "EC" && key.value("crv", "") == "P-256" && alg == "ES256") ||
           (key.at("kty") == "RSA" && (alg == "RS256" || alg.empty()));
}

// JSON Web Signature and JSON Web Key: keys with private or symmetric material are refused whole.
void run_jose(const core::Crypto &crypto, const Json &group, Tally &tally) {
    const bool is_public = group.contains("public");
    const Json &keys = group.at(is_public ? "public" : "private");
    for (const Json &test : group.at("tests")) {
        const Json &jws = test.at("jws");
        const std::string token = jws.is_string() ? jws.get<std::string>() : jws.dump();
        const bool expected = is_public && is_ours(keys) && is_valid(test);
        tally.note(name_of(test), expected, accepts_jws(crypto, keys.dump(), token));
    }
}

// A key of the file, and whether the core ought to take it: decided here apart from the core.
struct RawKey {
    core::Result<PublicKey> key;
    bool is_ours;
};

RawKey ec_key(const core::Crypto &crypto, const Json &group) {
    const Json &key = group.at(group.contains("publicKey") ? "publicKey" : "key");
    const std::string point = from_hex(key.at("uncompressed").get<std::string>());
    const bool is_ours = key.at("curve") == "secp256r1";
    return {is_ours ? PublicKey::ec_p256(crypto, point.substr(1, 32), point.substr(33))
                    : Code::key_curve_unsupported,
            is_ours};
}

RawKey rsa_key(const core::Crypto &crypto, const Json &group) {
    const Json &key = group.contains("publicKey") ? group.at("publicKey") : group;
    const auto number = [&key](const char *long_name, const char *short_name) {
        const char *name = key.contains(long_name) ? long_name : short_name;
        return without_leading_zeros(from_hex(key.at(name).get<std::string>()));
    };
    const std::string n = number("modulus", "n");
    const std::string e = number("publicExponent", "e");
    const bool is_ours = n.size() >= 256 && n.size() <= 1024 && e.size() >= 3;
    return {PublicKey::rsa(crypto, n, e), is_ours};
}

// Raw signatures. `is_scheme_ours` is false for schemes that must be refused although the key is
// fine.
void run_raw(const core::Crypto &crypto, const Json &group, bool is_scheme_ours, const RawKey &raw,
             Tally &tally) {
    const bool is_ours = is_scheme_ours && raw.is_ours && group.value("sha", "") == "SHA-256";
    for (const Json &test : group.at("tests")) {
        const std::string message = from_hex(test.at("msg").get<std::string>());
        const std::string signature = from_hex(test.at("sig").get<std::string>());
        const bool accepted = raw.key && check_signature(crypto, *raw.key, raw.key->algorithm(),
                                                         message, signature) == Code::ok;
        tally.note(name_of(test), is_ours && is_valid(test), accepted);
    }
}

} // namespace

Tally run_wycheproof(const core::Crypto &crypto, const Json &file) {
    Tally tally;
    for (const Json &group : file.at("testGroups")) {
        const std::string type = group.value("type", "");
        if (group.at("tests").at(0).contains("jws"))
            run_jose(crypto, group, tally);
        else if (type == "EcdsaP1363Verify" || type == "EcdsaVerify")
            run_raw(crypto, group, type == "EcdsaP1363Verify", ec_key(crypto, group), tally);
        else if (type == "RsassaPkcs1Verify" || type == "RsassaPssVerify")
            run_raw(crypto, group, type == "RsassaPkcs1Verify", rsa_key(crypto, group), tally);
        else
            tally.skip(group.at("tests").size());
    }
    return tally;
}

} // namespace tenancy::test
