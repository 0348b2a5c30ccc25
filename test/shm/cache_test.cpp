// The two caches of verified tokens: what they give back, what they drop, and that no thread ever
// sees half of an entry.
#include "pg/proof_cache.hpp"
#include "pg/token_stats.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace tenancy::pg {

namespace {
std::atomic<int> evictions{0};
}

// The counters are not what is tested here.
void token_stats_count(TokenEvent event) {
    if (event == TokenEvent::eviction)
        ++evictions;
}

namespace {

constexpr std::int64_t kNow = 1'700'000'000'000'000;
constexpr std::int64_t kSecond = 1'000'000;
constexpr int kWays = 8;

// Digests that differ in their last byte only: they share bucket, lock and hash.
core::Sha256 digest_of(int number) {
    core::Sha256 digest{};
    digest.fill(7);
    digest.back() = static_cast<unsigned char>(number);
    return digest;
}

// Every byte of it depends on the number.
Proof proof_of(int number) {
    Proof proof{};
    proof.not_before_us = kNow - number;
    proof.expires_us = kNow + 60 * kSecond + number;
    std::memset(proof.tenant_claim, 'a' + number % 26, kMaxClaimBytes);
    std::memset(proof.subject, 'a' + number % 26, kMaxClaimBytes);
    std::memset(proof.token_id, 'a' + number % 26, kMaxClaimBytes);
    return proof;
}

bool is_whole(const Proof &proof, int number) {
    const Proof wanted = proof_of(number);
    return std::memcmp(&proof, &wanted, sizeof proof) == 0;
}

bool finds(int number, std::int64_t now_us = kNow) {
    Proof proof{};
    const bool found = proof_cache_find(proof, digest_of(number), now_us);
    EXPECT_TRUE(!found || is_whole(proof, number)) << number;
    return found;
}

void store(int number, std::int64_t now_us = kNow) {
    proof_cache_store(digest_of(number), proof_of(number), now_us);
}

class ProofCache : public ::testing::Test {
protected:
    ProofCache() {
        proof_cache_request(1); // one bucket
        proof_cache_attach();
        evictions = 0;
    }
};

TEST_F(ProofCache, keeps_apart_digests_that_collide) {
    store(1);
    EXPECT_TRUE(finds(1));
    EXPECT_FALSE(finds(2)) << "another token of the same bucket and hash";
    store(2);
    EXPECT_TRUE(finds(1));
    EXPECT_TRUE(finds(2));
}

TEST_F(ProofCache, is_bounded_and_drops_what_was_not_used) {
    for (int i = 0; i < kWays; ++i)
        store(i);
    for (int i = 0; i < kWays; ++i)
        if (i != 3)
            EXPECT_TRUE(finds(i));
    EXPECT_EQ(evictions, 0);
    store(kWays);
    EXPECT_EQ(evictions, 1);
    for (int i = 0; i <= kWays; ++i)
        EXPECT_EQ(finds(i), i != 3) << i;
}

TEST_F(ProofCache, counts_no_entry_that_was_used_later_than_now) {
    store(1);
    EXPECT_TRUE(finds(1, kNow + 10 * kSecond));
    EXPECT_TRUE(finds(1, kNow + 9 * kSecond)) << "processors may differ by a little";
    EXPECT_FALSE(finds(1, kNow + 8 * kSecond)) << "the clock has stepped back";
    store(1, kNow + 8 * kSecond);
    EXPECT_TRUE(finds(1, kNow + 8 * kSecond)) << "verified again";
}

// Readers and writers of one bucket, with more tokens than it holds. Without its locks the thread
// sanitizer ends this program.
TEST_F(ProofCache, never_shows_half_of_an_entry) {
    constexpr int kThreads = 4;
    constexpr int kRounds = 4000;
    constexpr int kTokens = 12;
    std::atomic<int> found{0};
    std::atomic<int> torn{0};
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (int t = 0; t < kThreads; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < kRounds; ++i) {
                const int number = (i * 7 + t * 5) % kTokens;
                Proof proof{};
                if (!proof_cache_find(proof, digest_of(number), kNow + i)) {
                    store(number, kNow + i);
                    continue;
                }
                ++found;
                torn += is_whole(proof, number) ? 0 : 1;
            }
        });
    std::for_each(threads.begin(), threads.end(), [](std::thread &thread) { thread.join(); });
    EXPECT_EQ(torn, 0);
    EXPECT_GT(found, 0);
    EXPECT_GT(evictions, 0);
}

// The cache of one backend. It lives as long as the process, so each test has tokens of its own.
Verdict verdict_of(int number) {
    Verdict verdict{};
    verdict.proof = proof_of(number);
    return verdict;
}

bool knows(int number, std::int64_t now_us = kNow) {
    const Verdict *verdict = verdict_cache_find(digest_of(number), now_us);
    EXPECT_TRUE(verdict == nullptr || is_whole(verdict->proof, number)) << number;
    return verdict != nullptr;
}

TEST(VerdictCache, keeps_apart_digests_that_collide) {
    verdict_cache_store(digest_of(1), verdict_of(1), kNow);
    EXPECT_TRUE(knows(1));
    EXPECT_FALSE(knows(2));
    verdict_cache_store(digest_of(2), verdict_of(2), kNow);
    EXPECT_TRUE(knows(1));
    EXPECT_TRUE(knows(2));
}

TEST(VerdictCache, drops_an_entry_when_the_clock_has_stepped_back) {
    verdict_cache_store(digest_of(11), verdict_of(11), kNow + 10);
    EXPECT_TRUE(knows(11, kNow + 20));
    EXPECT_FALSE(knows(11, kNow + 19));
    EXPECT_FALSE(knows(11, kNow + 30)) << "it is gone, not hidden";
}

TEST(VerdictCache, drops_an_entry_that_is_out_of_its_time) {
    verdict_cache_store(digest_of(21), verdict_of(21), kNow);
    const std::int64_t end = proof_of(21).expires_us;
    EXPECT_TRUE(knows(21, end - 1));
    EXPECT_FALSE(knows(21, end));
    EXPECT_FALSE(knows(21, end + 1));
}

TEST(VerdictCache, drops_the_one_that_was_used_longest_ago) {
    for (int i = 31; i <= 34; ++i)
        verdict_cache_store(digest_of(i), verdict_of(i), kNow + i);
    EXPECT_TRUE(knows(31, kNow + 40));
    verdict_cache_store(digest_of(35), verdict_of(35), kNow + 41);
    for (int i = 31; i <= 35; ++i)
        EXPECT_EQ(knows(i, kNow + 50), i != 32) << i;
}

} // namespace
} // namespace tenancy::pg
