#include "core/jwks.hpp"

#include "core/json.hpp"
#include "core/jwk_members.hpp"

#include <algorithm>
#include <utility>

namespace tenancy::core {
namespace {

constexpr JsonLimits kJwksJson{8, 16384};

class KeySet {
public:
    Code take(const JsonPlace &place, const JsonValue &value);
    bool has_keys_member() const { return has_keys_member_; }
    const std::vector<JwkMembers> &entries() const { return entries_; }

private:
    std::vector<JwkMembers> entries_;
    bool has_keys_member_ = false;
};

Code KeySet::take(const JsonPlace &place, const JsonValue &value) {
    if (place.name(0) != "keys")
        return Code::ok;
    if (place.depth() == 1) {
        has_keys_member_ = true;
        return value.kind == JsonValue::Kind::array ? Code::ok : Code::jwks_malformed;
    }
    if (place.depth() == 2) {
        if (value.kind != JsonValue::Kind::object)
            return Code::jwks_malformed;
        if (entries_.size() == kMaxJwksKeys)
            return Code::jwks_too_many_keys;
        entries_.emplace_back();
        return Code::ok;
    }
    entries_.back().take(2, place, value);
    return Code::ok;
}

bool has_duplicate_kid(const std::vector<JwkMembers> &entries) {
    std::vector<std::string_view> kids;
    for (const JwkMembers &entry : entries)
        if (entry.kid())
            kids.emplace_back(*entry.kid());
    std::sort(kids.begin(), kids.end());
    return std::adjacent_find(kids.begin(), kids.end()) != kids.end();
}

Code check_set(const KeySet &set) {
    if (!set.has_keys_member())
        return Code::jwks_malformed;
    for (const JwkMembers &entry : set.entries())
        if (const Code why = entry.check_is_public(); why != Code::ok)
            return why;
    return has_duplicate_kid(set.entries()) ? Code::jwks_duplicate_kid : Code::ok;
}

} // namespace

Result<Jwks> parse_jwks(const Crypto &crypto, std::string_view json) {
    if (json.size() > kMaxJwksBytes)
        return Code::jwks_too_large;
    KeySet set;
    Code why =
        read_json_object(json, kJwksJson, [&set](const JsonPlace &place, const JsonValue &value) {
            return set.take(place, value);
        });
    if (why == Code::ok)
        why = check_set(set);
    if (why != Code::ok)
        return why;
    Jwks jwks;
    for (const JwkMembers &entry : set.entries()) {
        Result<Jwk> jwk = entry.to_jwk(crypto);
        if (jwk)
            jwks.keys.push_back(std::move(*jwk));
        else if (is_about_the_machine(jwk.error()))
            return jwk.error(); // do not load half a set
        else
            jwks.skipped.push_back({std::string(entry.usable_kid().value_or("")), jwk.error()});
    }
    if (jwks.keys.empty())
        return Code::jwks_no_usable_key;
    return jwks;
}

} // namespace tenancy::core
