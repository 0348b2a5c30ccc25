#include "core/crypto.hpp"

#include <openssl/core_names.h>

#include <array>

namespace tenancy::core {

Result<std::unique_ptr<Crypto>> Crypto::create(const CryptoOptions &options, std::string *problem) {
    const ErrorMark mark;
    std::unique_ptr<Crypto> crypto(new Crypto);
    const char *why = crypto->load_providers(options);
    if (why == nullptr)
        why = crypto->start_provider();
    if (why == nullptr)
        return crypto;
    if (problem != nullptr)
        *problem = why;
    return options.require_fips ? Code::fips_unavailable : Code::crypto_unavailable;
}

// Null, or what is wrong. A configuration whose modules do not load is no error to OpenSSL: then
// start_provider() finds nothing that fits the property query.
const char *Crypto::load_providers(const CryptoOptions &options) {
    requires_fips_ = options.require_fips;
    context_.reset(OSSL_LIB_CTX_new());
    if (!context_)
        return "OpenSSL cannot make a library context.";
    if (!requires_fips_) {
        default_provider_.reset(OSSL_PROVIDER_load(context_.get(), "default"));
        return default_provider_ ? nullptr : "OpenSSL's default provider cannot be loaded.";
    }
    const char *file = options.config_file.empty() ? nullptr : options.config_file.c_str();
    if (OSSL_LIB_CTX_load_config(context_.get(), file) != 1)
        return "The OpenSSL configuration file cannot be read, or is not one.";
    // Also for what providers fetch on their own, such as the random numbers of a key check.
    if (EVP_set_default_properties(context_.get(), kFipsOnly) != 1)
        return "OpenSSL does not accept the property query fips=yes.";
    return nullptr;
}

// Null, or what is wrong.
const char *Crypto::start_provider() {
    sha256_.reset(EVP_MD_fetch(context_.get(), "SHA256", properties()));
    if (!sha256_)
        return requires_fips_
                   ? "No FIPS provider is there: the OpenSSL configuration activates none, or its "
                     "module is missing, cannot be read, is not the one that was installed, or "
                     "fails its self-tests."
                   : "OpenSSL's default provider has no SHA-256.";
    if (!requires_fips_)
        return nullptr;
    // A module may have been told at its installation to skip the tests of its algorithms at load.
    if (OSSL_PROVIDER_self_test(provider()) != 1 || !provider_status().is_running)
        return "The FIPS provider fails its self-tests.";
    return nullptr;
}

Result<Sha256> Crypto::sha256(std::string_view data) const {
    const ErrorMark mark;
    Sha256 digest{};
    if (EVP_Digest(data.data(), data.size(), digest.data(), nullptr, sha256_.get(), nullptr) != 1)
        return requires_fips_ ? Code::fips_unavailable : Code::crypto_unavailable;
    return digest;
}

ProviderStatus Crypto::provider_status() const {
    const ErrorMark mark;
    char *title = nullptr;
    char *version = nullptr;
    char *build_info = nullptr;
    int is_running = 0;
    std::array<OSSL_PARAM, 5> params = {
        OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_NAME, &title, 0),
        OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_VERSION, &version, 0),
        OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_BUILDINFO, &build_info, 0),
        OSSL_PARAM_construct_int(OSSL_PROV_PARAM_STATUS, &is_running), OSSL_PARAM_construct_end()};
    const bool answers = OSSL_PROVIDER_get_params(provider(), params.data()) == 1;
    return {OSSL_PROVIDER_get0_name(provider()), title, version, build_info,
            answers && is_running == 1};
}

} // namespace tenancy::core
