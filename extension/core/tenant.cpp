#include "core/tenant.hpp"

#include "core/utf8.hpp"

#include <algorithm>
#include <cstddef>

namespace tenancy::core {
namespace {

constexpr std::size_t kMaxTenantIdBytes = 128;
constexpr std::size_t kMaxClaimValueBytes = 255;

// Not std::isalnum: that one asks the locale.
bool is_letter_or_digit(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_tenant_id_char(char c) {
    return is_letter_or_digit(c) || c == '.' || c == '_' || c == ':' || c == '-';
}

} // namespace

Code check_tenant_id(std::string_view id) {
    const bool good = !id.empty() && id.size() <= kMaxTenantIdBytes &&
                      is_letter_or_digit(id.front()) &&
                      std::all_of(id.begin(), id.end(), is_tenant_id_char);
    return good ? Code::ok : Code::tenant_id_malformed;
}

Code check_claim_value(std::string_view value) {
    if (value.empty() || value.size() > kMaxClaimValueBytes)
        return Code::tenant_claim_malformed;
    bool is_outer = true; // the character at hand is the first or the last
    while (!value.empty()) {
        const auto c = take_code_point(value);
        is_outer = is_outer || value.empty();
        if (!c || is_control(*c) || is_format_control(*c) || (is_outer && is_space(*c)))
            return Code::tenant_claim_malformed;
        is_outer = false;
    }
    return Code::ok;
}

} // namespace tenancy::core
