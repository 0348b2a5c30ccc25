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
    /// Only a provider that has the property fips=yes does any work.
    bool require_fips = false;
    /// With require_fips, the OpenSSL configuration file that activates that provider; empty: the
    /// library's own, which is what OPENSSL_CONF names or else openssl.cnf.
    std::string config_file;
};

/// What the provider says of itself. The texts are its own and live as long as the Crypto does;
/// null: it does not say. Plain data.
struct ProviderStatus {
    const char *name;    // as the configuration calls it, e.g. "default" or "fips"
    const char *title;   // e.g. "OpenSSL FIPS Provider"
    const char *version; // of the module, which may differ from the library's
    const char *build_info;
    bool is_running; // false once a self-test of its own has failed
};

/// Owns library context, providers and the fetched digest. Not copied, passed by reference; keys
/// made with it must not outlive it. Const use from several threads is safe, and so is use in a
/// process forked after create().
class Crypto {
public:
    /// With require_fips the provider is loaded, which makes it check its own integrity, and made
    /// to run its self-tests (about 0.3 s). Errors: crypto_unavailable, or fips_unavailable when
    /// FIPS is required, and then `problem`, if given, says why in one sentence for the operator.
    /// There is no fall-back to another provider.
    static Result<std::unique_ptr<Crypto>> create(const CryptoOptions &options = {},
                                                  std::string *problem = nullptr);

    /// SHA-256 of `data`. Errors: as of create().
    Result<Sha256> sha256(std::string_view data) const;

    OSSL_LIB_CTX *context() const { return context_.get(); }
    /// Property query of every fetch; null when there is none, as OpenSSL wants it.
    const char *properties() const { return requires_fips_ ? kFipsOnly : nullptr; }
    bool requires_fips() const { return requires_fips_; }
    /// The provider that hashes. A key whose work another one would do is refused.
    const OSSL_PROVIDER *provider() const { return EVP_MD_get0_provider(sha256_.get()); }
    /// Asks the provider now: it may have failed since create().
    ProviderStatus provider_status() const;

private:
    static constexpr const char *kFipsOnly = "fips=yes";

    Crypto() = default;
    const char *load_providers(const CryptoOptions &options);
    const char *start_provider();

    LibCtxPtr context_; // first: freed after everything that was made in it
    ProviderPtr default_provider_;
    MdPtr sha256_;
    bool requires_fips_ = false;
};

} // namespace tenancy::core
