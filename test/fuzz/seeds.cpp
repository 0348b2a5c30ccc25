// Writes a small seed corpus: seeds <folder> makes one folder per target below it.
#include "../unit/rfc7515.hpp"
#include "../unit/signer.hpp"

#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

using tenancy::test::Signer;

void write_seeds(const std::filesystem::path &folder, const std::vector<std::string> &seeds) {
    std::filesystem::create_directories(folder);
    for (std::size_t i = 0; i < seeds.size(); ++i)
        std::ofstream(folder / ("seed" + std::to_string(i)), std::ios::binary) << seeds[i];
}

void write_all(const std::filesystem::path &root) {
    const Signer &es = Signer::es256();
    const Signer &rs = Signer::rs256();
    const std::string claims =
        R"({"iss":"joe","sub":"alice","aud":["agent","b"],"azp":"web","jti":"t","tenant":"acme",)"
        R"("exp":1.8e9,"nbf":1600000000.5,"iat":1600000000,"org":["acme",{"id":"\u00e9"}]})";
    const std::string header = R"({"alg":"ES256","kid":"k","typ":"at+jwt","x5t":"AA"})";
    write_seeds(root / "base64url", {"", "Zm9vYg", "A-z_4ME", "AAAAA"});
    write_seeds(root / "claims", {claims, header, R"({"alg":"RS256","crit":["exp"]})",
                                  R"({"org":{"0":"acme"},"exp":9223372036854775807})"});
    write_seeds(root / "token",
                {tenancy::test::kRfc7515A2Token, tenancy::test::kRfc7515A3Token,
                 es.token("ES256", header, claims), rs.token("RS256", R"({"alg":"RS256"})", claims),
                 "a.b.c.d.e", R"({"payload":""})"});
    write_seeds(root / "jwks",
                {R"({"keys":[)" + es.jwk("a") + "]}",
                 R"({"keys":[)" + rs.jwk("b", R"(,"use":"sig","key_ops":["verify"])") + "," +
                     es.jwk("c", R"(,"use":"enc")") + "]}",
                 es.jwk("d"), R"({"keys":[{"kty":"oct","k":"AA"}]})"});
    write_seeds(root / "claim_path", {"tenant", "org.id", "/a~1b/~0/0", "https://x.example/t"});
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    try {
        write_all(argv[1]);
    } catch (const std::exception &) {
        return 1;
    }
    return 0;
}
