#include "core/crypto.hpp"

#include "world.hpp"

#include "core/base64url.hpp"
#include "provider.hpp"

#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>

namespace tenancy::core {
namespace {

std::string expected_provider() {
    return test::options_from_environment().require_fips ? "fips" : "default";
}

std::string problem_of(const CryptoOptions &options, Code expected) {
    ERR_clear_error();
    std::string problem;
    EXPECT_EQ(Crypto::create(options, &problem).error(), expected);
    EXPECT_EQ(ERR_peek_error(), 0UL);
    return problem;
}

TEST(CryptoContext, hashes_with_the_provider_that_was_asked_for) {
    const Result<Sha256> digest = test::crypto().sha256("abc");
    ASSERT_TRUE(digest);
    EXPECT_EQ(base64url_encode(view_of(digest->data(), digest->size())),
              "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"); // FIPS 180-2 appendix B.1
    EXPECT_EQ(test::crypto().provider_status().name, expected_provider());
}

TEST(CryptoContext, lets_no_other_provider_hold_a_key_or_check_a_signature) {
    for (const test::Signer *signer : {&test::Signer::es256(), &test::Signer::rs256()}) {
        const PublicKey key = signer->public_key(test::crypto());
        const MdCtxPtr signature(EVP_MD_CTX_new());
        ASSERT_EQ(EVP_MD_CTX_copy_ex(signature.get(), key.verification()), 1);
        for (const OSSL_PROVIDER *provider :
             {EVP_PKEY_get0_provider(key.handle()),
              EVP_PKEY_CTX_get0_provider(EVP_MD_CTX_get_pkey_ctx(signature.get()))})
            EXPECT_EQ(OSSL_PROVIDER_get0_name(provider), expected_provider());
    }
}

TEST(CryptoContext, tells_what_its_provider_is) {
    const ProviderStatus status = test::crypto().provider_status();
    EXPECT_TRUE(status.is_running);
    ASSERT_NE(status.title, nullptr);
    EXPECT_TRUE(std::string_view(status.title).starts_with("OpenSSL "));
    ASSERT_NE(status.version, nullptr);
    EXPECT_TRUE(std::string_view(status.version).starts_with("3."));
    EXPECT_NE(status.build_info, nullptr);
}

TEST(CryptoContext, is_not_the_process_default) {
    EXPECT_NE(test::crypto().context(), OSSL_LIB_CTX_get0_global_default());
}

TEST(CryptoContext, requires_fips_of_every_fetch_in_its_context) {
    if (test::crypto().requires_fips())
        EXPECT_EQ(EVP_default_properties_is_fips_enabled(test::crypto().context()), 1);
    else
        EXPECT_EQ(test::crypto().properties(), nullptr);
}

TEST(CryptoContext, never_falls_back_to_the_default_provider) {
    const std::string file = testing::TempDir() + "pg_tenancy_default_only.cnf";
    std::ofstream(file) << "openssl_conf = init\n[init]\nproviders = providers\n"
                           "[providers]\ndefault = only\n[only]\nactivate = 1\n";
    EXPECT_TRUE(problem_of({.require_fips = true, .config_file = file}, Code::fips_unavailable)
                    .starts_with("No FIPS provider is there"));
    EXPECT_EQ(std::remove(file.c_str()), 0);
}

TEST(CryptoContext, never_falls_back_when_the_configuration_is_missing) {
    const CryptoOptions no_file{.require_fips = true, .config_file = "/nonexistent/openssl.cnf"};
    EXPECT_EQ(problem_of(no_file, Code::fips_unavailable),
              "The OpenSSL configuration file cannot be read, or is not one.");
}

} // namespace
} // namespace tenancy::core
