// Memory that runs out at every possible point: only std::bad_alloc comes out, nothing leaks,
// nothing is granted, and the next call works.
#include "allocator.hpp"
#include "world.hpp"

#include "core/jwks.hpp"

#include <new>
#include <string>

#include <openssl/err.h>

namespace tenancy::test {
namespace {

// Runs `act` with the n-th allocation failing, for n = 1, 2, ... until none fails. Returns how many
// did.
template <class Act>
std::size_t fail_everywhere(Act act) {
    for (std::size_t n = 1;; ++n) {
        const long before = live_allocations();
        bool was_bad_alloc = false;
        fail_allocation(n);
        try {
            act();
        } catch (const std::bad_alloc &) {
            was_bad_alloc = true;
        }
        const bool failed = allocation_failed();
        fail_allocation(0);
        EXPECT_EQ(was_bad_alloc, failed) << "allocation " << n;
        EXPECT_EQ(live_allocations(), before) << "allocation " << n;
        EXPECT_EQ(ERR_peek_error(), 0UL) << "allocation " << n;
        if (!failed)
            return n - 1;
    }
}

class Allocation : public World {};

TEST_F(Allocation, failures_leave_verify_intact) {
    ERR_clear_error();
    for (const char *algorithm : {"ES256", "RS256"}) {
        const std::string good = token(header(algorithm), claims());
        Code last = Code::internal_error;
        const std::size_t failures = fail_everywhere([&] { last = verdict(good); });
        EXPECT_GT(failures, 10U);
        EXPECT_EQ(last, Code::ok);
    }
}

TEST_F(Allocation, failures_leave_key_sets_intact) {
    ERR_clear_error();
    const std::string json = R"({"keys":[)" + Signer::es256().jwk("a") + ',' +
                             Signer::rs256().jwk("b", R"(,"key_ops":["verify"])") + ',' +
                             Signer::rs256().jwk("enc-key-with-a-long-name", R"(,"use":"enc")") +
                             "]}";
    Code last = Code::internal_error;
    const std::size_t failures =
        fail_everywhere([&] { last = core::parse_jwks(crypto(), json).error(); });
    EXPECT_GT(failures, 20U);
    EXPECT_EQ(last, Code::ok);
}

TEST_F(Allocation, failures_leave_contexts_and_paths_intact) {
    ERR_clear_error();
    EXPECT_GT(fail_everywhere([] { (void)core::Crypto::create(); }), 0U);
    EXPECT_GT(fail_everywhere([] {
                  (void)core::ClaimPath::parse("/a-rather-long-member-name/another-long-one");
              }),
              0U);
}

} // namespace
} // namespace tenancy::test
