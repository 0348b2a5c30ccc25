// Runs every vector file it can find and ends with one line that a script can read.
#include "vectors.hpp"

#include "core/base64url.hpp"
#include "core/header.hpp"
#include "core/jwks.hpp"
#include "core/jwt.hpp"
#include "core/signature.hpp"
#include "provider.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <vector>

namespace tenancy::test {

void Tally::note(const std::string &name, bool expected, bool accepted) {
    (expected == accepted ? passed_ : failed_) += 1;
    accepted_ += accepted ? 1 : 0;
    if (expected != accepted)
        std::printf("  MISMATCH %s: %s\n", name.c_str(), accepted ? "accepted" : "refused");
}

void Tally::report(const std::string &title) const {
    std::printf("%s: %zu vectors, %zu accepted, %zu mismatches", title.c_str(), passed_ + failed_,
                accepted_, failed_);
    if (skipped_ > 0)
        std::printf(", %zu skipped", skipped_);
    std::printf("\n");
}

Tally &Tally::operator+=(const Tally &other) {
    passed_ += other.passed_;
    failed_ += other.failed_;
    skipped_ += other.skipped_;
    accepted_ += other.accepted_;
    return *this;
}

std::string from_hex(std::string_view hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
    return bytes;
}

std::string without_leading_zeros(std::string bytes) {
    bytes.erase(0, std::min(bytes.find_first_not_of('\0'), bytes.size()));
    return bytes;
}

namespace {

// A JWS, unlike a token, may have an empty payload.
core::Result<core::TokenParts> split_jws(std::string_view jws) {
    const std::size_t dots = jws.find("..");
    if (dots == std::string_view::npos || dots == 0 ||
        jws.find('.', dots + 2) != std::string_view::npos)
        return core::split_token(jws);
    return core::TokenParts{jws.substr(0, dots), "", jws.substr(dots + 2), jws.substr(0, dots + 1)};
}

} // namespace

bool accepts_jws(const core::Crypto &crypto, const std::string &keys_json, const std::string &jws) {
    const bool is_set = Json::parse(keys_json).contains("keys");
    const auto jwks =
        core::parse_jwks(crypto, is_set ? keys_json : R"({"keys":[)" + keys_json + "]}");
    const auto parts = split_jws(jws);
    if (!jwks || !parts)
        return false;
    const auto header_json = core::base64url_decode(parts->header);
    const auto payload = core::base64url_decode(parts->payload);
    const auto signature = core::base64url_decode(parts->signature);
    if (!header_json || !payload || !signature)
        return false;
    const auto header = core::parse_header(*header_json);
    if (!header)
        return false;
    // By kid where both sides have one, else any key of the set.
    return std::any_of(jwks->keys.begin(), jwks->keys.end(), [&](const core::Jwk &key) {
        const bool fits = !header->kid || key.kid.empty() || key.kid == *header->kid;
        return fits && check_signature(crypto, key.key, header->algorithm, parts->signed_bytes,
                                       *signature) == core::Code::ok;
    });
}

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_below(const fs::path &root, const std::string &extension) {
    std::vector<fs::path> files;
    if (fs::is_directory(root))
        for (const auto &entry : fs::recursive_directory_iterator(root))
            if (entry.is_regular_file() && entry.path().extension() == extension)
                files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
}

Tally run_json(const core::Crypto &crypto, const fs::path &path) {
    std::ifstream in(path);
    const Json file = Json::parse(in);
    if (file.contains("testGroups"))
        return run_wycheproof(crypto, file);
    if (file.contains("vectors"))
        return run_rfc7515(crypto, file);
    return run_rfc7520(crypto, file);
}

// The files below VECTORS_DIR.
Tally run_downloaded(const core::Crypto &crypto, const fs::path &root) {
    Tally total;
    const auto files = files_below(root, ".json");
    if (files.empty()) {
        std::printf(
            "no vectors in VECTORS_DIR: skipped. Get json_web_*_test.json, "
            "ecdsa_secp256r1_sha256_p1363_test.json and rsa_signature_*_test.json from the "
            "testvectors folder of C2SP/wycheproof, and the examples of RFC 7515 appendix A "
            "and RFC 7520 section 4 (ietf-jose/cookbook) as JSON files.\n");
        total.skip(1);
    }
    for (const fs::path &file : files) {
        Tally tally = run_json(crypto, file);
        tally.report(fs::relative(file, root).string());
        total += tally;
    }
    return total;
}

// The files of Debian's package python3-cryptography-vectors.
Tally run_installed(const core::Crypto &crypto) {
    const char *from = std::getenv("NIST_DIR");
    const fs::path root =
        from != nullptr ? from : "/usr/lib/python3/dist-packages/cryptography_vectors/asymmetric";
    Tally total;
    for (const fs::path &file : files_below(root, ".rsp")) {
        Tally tally = run_nist(crypto, file);
        if (tally.passed() + tally.failed() == 0)
            continue;
        tally.report("nist/" + fs::relative(file, root).string());
        total += tally;
    }
    if (total.passed() + total.failed() == 0) {
        std::printf("no NIST vectors: skipped. Install python3-cryptography-vectors, or set "
                    "NIST_DIR to the unpacked CAVP response files.\n");
        total.skip(1);
    }
    return total;
}

int run_all() {
    const auto crypto = core::Crypto::create(options_from_environment());
    if (!crypto)
        return EXIT_FAILURE;
    std::printf("provider: %s\n", (*crypto)->provider_status().name);
    const char *root = std::getenv("VECTORS_DIR");
    const bool is_required = std::getenv("REQUIRE_VECTORS") != nullptr;
    const Tally downloaded = run_downloaded(**crypto, root != nullptr ? root : "");
    const Tally installed = run_installed(**crypto);
    const bool is_missing = downloaded.passed() == 0 || installed.passed() == 0;
    Tally total = downloaded;
    total += installed;
    const std::size_t failed = total.failed() + (is_required && is_missing ? 1 : 0);
    std::printf("vectors: %zu passed, %zu failed", total.passed(), failed);
    if (total.skipped() > 0)
        std::printf(", %zu skipped", total.skipped());
    std::printf("\n");
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

} // namespace
} // namespace tenancy::test

int main() {
    try {
        return tenancy::test::run_all();
    } catch (const std::exception &error) {
        std::printf("%s\nvectors: 0 passed, 1 failed\n", error.what());
        return EXIT_FAILURE;
    }
}
