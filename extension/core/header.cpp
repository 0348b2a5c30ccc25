#include "core/header.hpp"

#include "core/json.hpp"
#include "core/utf8.hpp"

#include <algorithm>
#include <cstddef>

namespace tenancy::core {
namespace {

constexpr std::size_t kMaxKidBytes = 256;

struct Draft {
    std::optional<Algorithm> algorithm;
    std::optional<std::string> kid;
    std::optional<std::string> typ;
};

// Not std::tolower: that one asks the locale.
char to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// RFC 7515 section 4.1.9: a media type, case-insensitive, whose prefix "application/" may be left
// out.
bool is_media_type(std::string_view text, std::string_view lower_case_name) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(), to_lower);
    std::string_view name = lower;
    constexpr std::string_view kPrefix = "application/";
    if (name.starts_with(kPrefix))
        name.remove_prefix(kPrefix.size());
    return name == lower_case_name;
}

Code take_algorithm(Draft &draft, const JsonValue &value) {
    if (!value.is_string())
        return Code::algorithm_missing;
    for (const Algorithm algorithm : {Algorithm::es256, Algorithm::rs256})
        if (value.text == algorithm_name(algorithm))
            draft.algorithm = algorithm;
    return draft.algorithm ? Code::ok : Code::algorithm_not_allowed;
}

Code take_kid(Draft &draft, const JsonValue &value) {
    if (!value.is_string() || !is_plain_text(value.text, kMaxKidBytes))
        return Code::kid_malformed;
    draft.kid.emplace(value.text);
    return Code::ok;
}

Code take_typ(Draft &draft, const JsonValue &value) {
    if (!value.is_string())
        return Code::type_malformed;
    draft.typ.emplace(value.text);
    return Code::ok;
}

Code check_cty(const JsonValue &value) {
    if (!value.is_string())
        return Code::type_malformed;
    return is_media_type(value.text, "jwt") ? Code::header_nested : Code::ok;
}

Code take_member(Draft &draft, std::string_view name, const JsonValue &value) {
    if (name == "alg")
        return take_algorithm(draft, value);
    if (name == "kid")
        return take_kid(draft, value);
    if (name == "typ")
        return take_typ(draft, value);
    if (name == "cty")
        return check_cty(value);
    if (name == "crit")
        return Code::header_crit;
    if (name == "b64")
        return Code::header_b64;
    if (name == "zip")
        return Code::header_zip;
    if (name == "jwk" || name == "jku" || name == "x5u" || name == "x5c")
        return Code::header_embedded_key;
    return Code::ok;
}

} // namespace

Result<Header> parse_header(std::string_view json) {
    Draft draft;
    const Code why = read_json_object(
        json, kHeaderJson, [&draft](const JsonPlace &place, const JsonValue &value) {
            return place.depth() == 1 ? take_member(draft, place.name(0), value) : Code::ok;
        });
    if (why != Code::ok)
        return why;
    if (!draft.algorithm)
        return Code::algorithm_missing;
    return Header{*draft.algorithm, std::move(draft.kid), std::move(draft.typ)};
}

Code check_header(const IssuerPolicy &policy, const Header &header) {
    const bool is_allowed =
        header.algorithm == Algorithm::es256 ? policy.allow_es256 : policy.allow_rs256;
    if (!is_allowed)
        return Code::algorithm_not_allowed;
    if (policy.typ == TypRule::any)
        return Code::ok;
    const std::string_view wanted = policy.typ == TypRule::jwt ? "jwt" : "at+jwt";
    if (!header.typ || !is_media_type(*header.typ, wanted))
        return Code::type_not_accepted;
    return Code::ok;
}

} // namespace tenancy::core
