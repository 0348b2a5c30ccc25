#include "signer.hpp"

#include "core/base64url.hpp"
#include "core/bytes.hpp"

#include <openssl/core_names.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <stdexcept>
#include <utility>

namespace tenancy::test {
namespace {

using core::base64url_encode;
using core::bytes_of;

void demand(bool truth) {
    if (!truth)
        throw std::runtime_error("OpenSSL refused to make test material");
}

std::string bytes_of_number(const BIGNUM *number, int size) {
    std::string bytes(static_cast<std::size_t>(size), '\0');
    demand(BN_bn2binpad(number, reinterpret_cast<unsigned char *>(bytes.data()), size) == size);
    return bytes;
}

std::string raw_of_der(std::string_view der, int scalar_bytes) {
    const unsigned char *in = bytes_of(der);
    const core::EcdsaSigPtr pair(d2i_ECDSA_SIG(nullptr, &in, static_cast<long>(der.size())));
    demand(pair != nullptr);
    return bytes_of_number(ECDSA_SIG_get0_r(pair.get()), scalar_bytes) +
           bytes_of_number(ECDSA_SIG_get0_s(pair.get()), scalar_bytes);
}

const char *digest_of(std::string_view algorithm) {
    if (algorithm == "EdDSA")
        return nullptr;
    if (algorithm == "ES384")
        return "SHA384";
    return algorithm == "RS512" ? "SHA512" : "SHA256";
}

} // namespace

Signer Signer::generate(std::string_view kind, unsigned bits) {
    EVP_PKEY *pkey = nullptr;
    if (kind == "RSA")
        pkey = EVP_RSA_gen(bits);
    else if (kind == "ED25519")
        pkey = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    else
        pkey = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", std::string(kind).c_str());
    demand(pkey != nullptr);
    return Signer(core::PkeyPtr(pkey));
}

const Signer &Signer::es256(int which) {
    static const Signer first = generate("P-256");
    static const Signer second = generate("P-256");
    return which == 0 ? first : second;
}

const Signer &Signer::rs256(int which) {
    static const Signer first = generate("RSA");
    static const Signer second = generate("RSA");
    return which == 0 ? first : second;
}

bool Signer::is_rsa() const {
    return EVP_PKEY_is_a(pkey_.get(), "RSA") == 1;
}

std::string Signer::sign(std::string_view algorithm, std::string_view message) const {
    const core::MdCtxPtr context(EVP_MD_CTX_new());
    EVP_PKEY_CTX *options = nullptr;
    demand(EVP_DigestSignInit_ex(context.get(), &options, digest_of(algorithm), nullptr, nullptr,
                                 pkey_.get(), nullptr) == 1);
    if (algorithm == "PS256") {
        demand(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1);
        demand(EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1);
    }
    std::size_t size = 0;
    demand(EVP_DigestSign(context.get(), nullptr, &size, bytes_of(message), message.size()) == 1);
    std::string signature(size, '\0');
    demand(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char *>(signature.data()), &size,
                          bytes_of(message), message.size()) == 1);
    signature.resize(size);
    if (algorithm == "ES384")
        return raw_of_der(signature, 48);
    return algorithm.starts_with("ES") ? raw_of_der(signature, 32) : signature;
}

std::string Signer::token(std::string_view algorithm, std::string_view header,
                          std::string_view payload) const {
    const std::string signed_bytes = base64url_encode(header) + '.' + base64url_encode(payload);
    return signed_bytes + '.' + base64url_encode(sign(algorithm, signed_bytes));
}

std::string Signer::number(std::string_view name) const {
    const char *parameter = name == "x"   ? OSSL_PKEY_PARAM_EC_PUB_X
                            : name == "y" ? OSSL_PKEY_PARAM_EC_PUB_Y
                            : name == "n" ? OSSL_PKEY_PARAM_RSA_N
                                          : OSSL_PKEY_PARAM_RSA_E;
    BIGNUM *raw = nullptr;
    demand(EVP_PKEY_get_bn_param(pkey_.get(), parameter, &raw) == 1);
    const core::BignumPtr number(raw);
    return bytes_of_number(raw, is_rsa() ? BN_num_bytes(raw) : 32);
}

std::string Signer::jwk(std::string_view kid, std::string_view more) const {
    const auto member = [this](const char *name) {
        return std::string(",\"") + name + "\":\"" + base64url_encode(number(name)) + '"';
    };
    std::string json = is_rsa() ? R"({"kty":"RSA")" : R"({"kty":"EC","crv":"P-256")";
    if (!kid.empty())
        json.append(R"(,"kid":")").append(kid).append("\"");
    json += is_rsa() ? member("n") + member("e") : member("x") + member("y");
    return json.append(more) + '}';
}

core::PublicKey Signer::public_key(const core::Crypto &crypto) const {
    auto key = is_rsa() ? core::PublicKey::rsa(crypto, number("n"), number("e"))
                        : core::PublicKey::ec_p256(crypto, number("x"), number("y"));
    demand(static_cast<bool>(key));
    return std::move(*key);
}

std::string Signer::public_pem() const {
    const std::unique_ptr<BIO, core::Free<BIO_free>> sink(BIO_new(BIO_s_mem()));
    demand(PEM_write_bio_PUBKEY(sink.get(), pkey_.get()) == 1);
    char *data = nullptr;
    const long size = BIO_get_mem_data(sink.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

std::string Signer::public_der() const {
    unsigned char *raw = nullptr;
    const int size = i2d_PUBKEY(pkey_.get(), &raw);
    demand(size > 0);
    std::string der(reinterpret_cast<char *>(raw), static_cast<std::size_t>(size));
    OPENSSL_free(raw);
    return der;
}

std::string hmac_sha256(std::string_view key, std::string_view message) {
    core::Sha256 mac{};
    unsigned size = 0;
    demand(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(message),
                message.size(), mac.data(), &size) != nullptr);
    return std::string(core::view_of(mac.data(), size));
}

} // namespace tenancy::test
