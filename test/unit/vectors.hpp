// Published test vectors: how they are found, counted and reported. No vector is in this
// repository.
#pragma once

#include "core/crypto.hpp"

#include <filesystem>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace tenancy::test {

using Json = nlohmann::json;

/// What became of the vectors of one file.
class Tally {
public:
    /// Notes one vector; prints it when the core's answer is not the expected one.
    void note(const std::string &name, bool expected, bool accepted);
    /// Notes a file or a group that says nothing about the core.
    void skip(std::size_t vectors) { skipped_ += vectors; }
    /// Prints one line about `title`.
    void report(const std::string &title) const;

    std::size_t passed() const { return passed_; }
    std::size_t failed() const { return failed_; }
    std::size_t skipped() const { return skipped_; }
    Tally &operator+=(const Tally &other);

private:
    std::size_t passed_ = 0;
    std::size_t failed_ = 0;
    std::size_t skipped_ = 0;
    std::size_t accepted_ = 0;
};

std::string from_hex(std::string_view hex);
/// Drops leading zero bytes, as JWK numbers want it.
std::string without_leading_zeros(std::string bytes);

/// One file of each family. The files' own verdict counts, except that the core knows ES256 and
/// RS256 only: everything else must be refused, whatever the file says.
Tally run_wycheproof(const core::Crypto &crypto, const Json &file);
Tally run_rfc7515(const core::Crypto &crypto, const Json &file);
Tally run_rfc7520(const core::Crypto &crypto, const Json &file);
/// NIST CAVP response files: ECDSA SigVer and PKV of P-256 with SHA-256, RSA PKCS #1 v1.5 SigVer.
Tally run_nist(const core::Crypto &crypto, const std::filesystem::path &file);

/// True when a compact JWS verifies under a JWK or a JWK Set, by the same steps as a token, claims
/// aside.
bool accepts_jws(const core::Crypto &crypto, const std::string &keys_json, const std::string &jws);

} // namespace tenancy::test
