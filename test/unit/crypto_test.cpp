#include "core/crypto.hpp"

#include "world.hpp"

#include "core/base64url.hpp"

#include <string_view>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>

namespace tenancy::core {
namespace {

TEST(CryptoContext, hashes_with_the_default_provider) {
    const Result<Sha256> digest = test::crypto().sha256("abc");
    ASSERT_TRUE(digest);
    EXPECT_EQ(base64url_encode(view_of(digest->data(), digest->size())),
              "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"); // FIPS 180-2 appendix B.1
    EXPECT_EQ(std::string_view(test::crypto().provider_name()), "default");
}

TEST(CryptoContext, is_not_the_process_default) {
    EXPECT_NE(test::crypto().context(), OSSL_LIB_CTX_get0_global_default());
}

TEST(CryptoContext, never_falls_back_when_the_properties_cannot_be_had) {
    ERR_clear_error();
    CryptoOptions no_fips_here;
    no_fips_here.properties = "fips=yes";
    EXPECT_EQ(Crypto::create(no_fips_here).error(), Code::crypto_unavailable);
    EXPECT_EQ(ERR_peek_error(), 0UL);
}

TEST(CryptoContext, never_falls_back_when_the_configuration_is_missing) {
    CryptoOptions no_file;
    no_file.config_file = "/nonexistent/openssl.cnf";
    EXPECT_EQ(Crypto::create(no_file).error(), Code::crypto_unavailable);
    EXPECT_EQ(ERR_peek_error(), 0UL);
}

} // namespace
} // namespace tenancy::core
