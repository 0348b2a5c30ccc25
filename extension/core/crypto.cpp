#include "core/crypto.hpp"

namespace tenancy::core {

Result<std::unique_ptr<Crypto>> Crypto::create(const CryptoOptions &options) {
    const ErrorMark mark;
    std::unique_ptr<Crypto> crypto(new Crypto);
    crypto->properties_ = options.properties;
    crypto->context_.reset(OSSL_LIB_CTX_new());
    OSSL_LIB_CTX *context = crypto->context_.get();
    if (context == nullptr)
        return Code::crypto_unavailable;
    if (options.config_file.empty()) {
        crypto->provider_.reset(OSSL_PROVIDER_load(context, "default"));
        if (!crypto->provider_)
            return Code::crypto_unavailable;
    } else if (OSSL_LIB_CTX_load_config(context, options.config_file.c_str()) != 1) {
        return Code::crypto_unavailable;
    }
    crypto->sha256_.reset(EVP_MD_fetch(context, "SHA256", crypto->properties()));
    if (!crypto->sha256_)
        return Code::crypto_unavailable;
    return crypto;
}

Result<Sha256> Crypto::sha256(std::string_view data) const {
    const ErrorMark mark;
    Sha256 digest{};
    if (EVP_Digest(data.data(), data.size(), digest.data(), nullptr, sha256_.get(), nullptr) != 1)
        return Code::crypto_unavailable;
    return digest;
}

const char *Crypto::provider_name() const {
    return OSSL_PROVIDER_get0_name(EVP_MD_get0_provider(sha256_.get()));
}

} // namespace tenancy::core
