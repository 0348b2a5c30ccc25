#include "core/signature.hpp"

#include <array>
#include <cstddef>

namespace tenancy::core {
namespace {

constexpr std::size_t kScalarBytes = 32;
constexpr std::size_t kMaxDerBytes = 72; // SEQUENCE of two 32-byte INTEGERs, each with a sign byte

struct Der {
    std::array<unsigned char, kMaxDerBytes> bytes{};
    std::size_t size = 0;
};

// OpenSSL takes ECDSA signatures in DER. Only the encoding happens here; r and s are judged by it.
Code raw_to_der(std::string_view raw, Der &der) {
    if (raw.size() != 2 * kScalarBytes)
        return Code::signature_invalid;
    constexpr int kBytes = static_cast<int>(kScalarBytes);
    BignumPtr r(BN_bin2bn(bytes_of(raw), kBytes, nullptr));
    BignumPtr s(BN_bin2bn(bytes_of(raw.substr(kScalarBytes)), kBytes, nullptr));
    const EcdsaSigPtr pair(ECDSA_SIG_new());
    if (!r || !s || !pair || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1)
        return Code::crypto_unavailable;
    (void)r.release(); // owned by `pair` now
    (void)s.release();
    unsigned char *out = der.bytes.data();
    const int size = i2d_ECDSA_SIG(pair.get(), &out);
    if (size <= 0)
        return Code::crypto_unavailable;
    der.size = static_cast<std::size_t>(size);
    return Code::ok;
}

Code digest_verify(const PublicKey &key, std::string_view message, std::string_view signature) {
    const MdCtxPtr context(EVP_MD_CTX_new());
    if (!context || EVP_MD_CTX_copy_ex(context.get(), key.verification()) != 1)
        return Code::crypto_unavailable;
    // 1 is the only yes: 0 and every negative value are refusals.
    const int verdict = EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(),
                                         bytes_of(message), message.size());
    return verdict == 1 ? Code::ok : Code::signature_invalid;
}

} // namespace

Code check_signature(const Crypto &crypto, const PublicKey &key, Algorithm algorithm,
                     std::string_view message, std::string_view signature) {
    const ErrorMark mark;
    if (!key.belongs_to(crypto))
        return Code::crypto_unavailable;
    if (algorithm != key.algorithm())
        return Code::algorithm_mismatch;
    if (algorithm == Algorithm::es256) {
        Der der;
        if (const Code why = raw_to_der(signature, der); why != Code::ok)
            return why;
        return digest_verify(key, message, view_of(der.bytes.data(), der.size));
    }
    if (signature.size() != static_cast<std::size_t>(EVP_PKEY_get_size(key.handle())))
        return Code::signature_invalid;
    return digest_verify(key, message, signature);
}

} // namespace tenancy::core
