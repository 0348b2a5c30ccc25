// NIST CAVP response files (FIPS 186): lines "name = value", a blank line ends a record, [..]
// starts a section.
#include "vectors.hpp"

#include "core/signature.hpp"

#include <fstream>
#include <map>

namespace tenancy::test {
namespace {

using core::Code;
using core::PublicKey;
using Record = std::map<std::string, std::string>;

std::string trim(const std::string &text) {
    const std::size_t begin = text.find_first_not_of(" \r\t");
    const std::size_t end = text.find_last_not_of(" \r\t");
    return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

// Fixed-width coordinate, or the bytes as they are when they do not fit.
std::string coordinate(const std::string &hex) {
    const std::string bytes =
        without_leading_zeros(from_hex(hex.size() % 2 != 0 ? '0' + hex : hex));
    return bytes.size() < 32 ? std::string(32 - bytes.size(), '\0') + bytes : bytes;
}

void run_ecdsa(const core::Crypto &crypto, const Record &record, Tally &tally) {
    const auto key =
        PublicKey::ec_p256(crypto, coordinate(record.at("Qx")), coordinate(record.at("Qy")));
    const bool expected = record.at("Result").starts_with("P");
    if (!record.contains("Msg")) { // public key validation
        tally.note("Qx " + record.at("Qx"), expected, static_cast<bool>(key));
        return;
    }
    const std::string signature = coordinate(record.at("R")) + coordinate(record.at("S"));
    const bool accepted = key && check_signature(crypto, *key, key->algorithm(),
                                                 from_hex(record.at("Msg")), signature) == Code::ok;
    tally.note("R " + record.at("R"), expected, accepted);
}

// The exponents of these files may be below 2^16, which FIPS 186-5 no longer allows and the core
// refuses.
void run_rsa(const core::Crypto &crypto, const Record &record, const std::string &modulus,
             Tally &tally) {
    const std::string n = without_leading_zeros(from_hex(modulus));
    const std::string e = without_leading_zeros(from_hex(record.at("e")));
    const auto key = PublicKey::rsa(crypto, n, e);
    const bool is_refused_key = n.size() < 256 || e.size() < 3;
    const bool expected = record.at("Result").starts_with("P") && !is_refused_key;
    const bool accepted =
        key && check_signature(crypto, *key, key->algorithm(), from_hex(record.at("Msg")),
                               from_hex(record.at("S"))) == Code::ok;
    tally.note("S " + record.at("S").substr(0, 16), expected, accepted);
}

} // namespace

Tally run_nist(const core::Crypto &crypto, const std::filesystem::path &file) {
    const std::string name = file.filename().string();
    const bool is_rsa = name.starts_with("SigVer15");
    const bool is_ecdsa = file.parent_path().string().find("ECDSA") != std::string::npos &&
                          (name.starts_with("SigVer") || name.starts_with("PKV"));
    Tally tally;
    if (!is_rsa && !is_ecdsa)
        return tally;
    std::ifstream in(file);
    std::string line, section, modulus;
    Record record;
    while (std::getline(in, line)) {
        line = trim(line);
        const std::size_t equals = line.find('=');
        if (line.starts_with('['))
            section = line;
        else if (equals != std::string::npos)
            record[trim(line.substr(0, equals))] = trim(line.substr(equals + 1));
        if (!record.contains("Result")) {
            if (line.empty() && record.contains("n"))
                modulus = record["n"];
            continue;
        }
        if (is_rsa && record["SHAAlg"] == "SHA256")
            run_rsa(crypto, record, modulus, tally);
        else if (section == "[P-256,SHA-256]" || (section == "[P-256]" && !record.contains("Msg")))
            run_ecdsa(crypto, record, tally);
        record.clear();
    }
    return tally;
}

} // namespace tenancy::test
