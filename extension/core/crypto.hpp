// Crypto: the one OpenSSL library context of the core. Never the process default context: a FIPS
// or provider policy here must not change the rest of the server, nor the other way round.
#pragma once

#include "core/pure.hpp"

#include "core/bytes.hpp"
#include "core/openssl.hpp"
#include "core/result.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace tenancy::core {

struct CryptoOptions {
    /// OpenSSL configuration file that loads the providers; empty: the default provider only.
    std::string config_file;
    /// Property query of every fetch, e.g. "fips=yes"; empty: none.
    std::string properties;
};

/// Owns library context, providers and the fetched digest. Not copied, passed by reference; keys
/// made with it must not outlive it. Const use from several threads is safe.
class Crypto {
public:
    /// Error: crypto_unavailable when a provider or SHA-256 under the property query cannot be had.
    /// There is no fall-back to another provider.
    static Result<std::unique_ptr<Crypto>> create(const CryptoOptions &options = {});

    /// SHA-256 of `data`. Error: crypto_unavailable.
    Result<Sha256> sha256(std::string_view data) const;

    OSSL_LIB_CTX *context() const { return context_.get(); }
    const EVP_MD *sha256_md() const { return sha256_.get(); }
    /// Null when there is no property query, as OpenSSL wants it.
    const char *properties() const { return properties_.empty() ? nullptr : properties_.c_str(); }
    /// Name of the provider that does the hashing, e.g. "default" or "fips".
    const char *provider_name() const;

private:
    Crypto() = default;

    LibCtxPtr context_; // first: freed after everything that was made in it
    ProviderPtr provider_;
    MdPtr sha256_;
    std::string properties_;
};

} // namespace tenancy::core
