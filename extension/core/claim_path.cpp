#include "core/claim_path.hpp"

#include "core/json.hpp"
#include "core/utf8.hpp"

#include <optional>
#include <utility>

namespace tenancy::core {
namespace {

// RFC 6901 section 4: "~1" is '/', "~0" is '~', any other '~' is an error.
std::optional<std::string> unescape_pointer(std::string_view segment) {
    std::string name;
    for (std::size_t i = 0; i < segment.size(); ++i) {
        if (segment[i] != '~') {
            name.push_back(segment[i]);
            continue;
        }
        if (++i == segment.size() || (segment[i] != '0' && segment[i] != '1'))
            return std::nullopt;
        name.push_back(segment[i] == '0' ? '~' : '/');
    }
    return name;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        const std::size_t end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos)
            return parts;
        text.remove_prefix(end + 1);
    }
}

} // namespace

Result<ClaimPath> ClaimPath::parse(std::string_view text) {
    if (!is_plain_text(text, kMaxClaimPathBytes))
        return Code::claim_path_malformed;
    ClaimPath path;
    path.enters_arrays_ = text.front() == '/';
    const bool is_literal =
        !path.enters_arrays_ && text.find_first_of(":/") != std::string_view::npos;
    if (is_literal) {
        path.segments_.emplace_back(text);
        return path;
    }
    const std::vector<std::string_view> parts =
        path.enters_arrays_ ? split(text.substr(1), '/') : split(text, '.');
    if (parts.size() > kMaxClaimPathSegments)
        return Code::claim_path_malformed;
    for (const std::string_view part : parts) {
        std::optional<std::string> name =
            path.enters_arrays_ ? unescape_pointer(part) : std::string(part);
        if (!name || name->empty())
            return Code::claim_path_malformed;
        path.segments_.push_back(std::move(*name));
    }
    return path;
}

bool ClaimPath::leads_to(std::string_view place) const {
    if (segments_.empty())
        return false;
    for (const std::string &segment : segments_) {
        const bool is_index = place.starts_with(JsonPlace::kIndex);
        if (place.empty() || (is_index && !enters_arrays_))
            return false;
        place.remove_prefix(1);
        const std::size_t end = place.find('\0');
        if (place.substr(0, end) != segment)
            return false;
        place.remove_prefix(end + 1);
    }
    return place.empty();
}

} // namespace tenancy::core
