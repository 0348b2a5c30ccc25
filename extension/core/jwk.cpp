#include "core/jwk.hpp"

#include "core/jwk_members.hpp"

namespace tenancy::core {

Result<Jwk> parse_jwk(const Crypto &crypto, std::string_view json) {
    constexpr JsonLimits kLimits{8, 1024};
    JwkMembers members;
    const Code why =
        read_json_object(json, kLimits, [&members](const JsonPlace &place, const JsonValue &value) {
            members.take(0, place, value);
            return Code::ok;
        });
    if (why != Code::ok)
        return why;
    return members.to_jwk(crypto);
}

} // namespace tenancy::core
