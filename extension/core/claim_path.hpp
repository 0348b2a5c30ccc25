// Where in the claims the tenant is named.
#pragma once

#include "core/pure.hpp"

#include "core/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tenancy::core {

inline constexpr std::size_t kMaxClaimPathBytes = 256;
inline constexpr std::size_t kMaxClaimPathSegments = 8;

/// A path to one value. Default-constructed it leads nowhere, so that a forgotten path refuses.
class ClaimPath {
public:
    ClaimPath() = default;

    /// Three unambiguous spellings:
    /// - starts with '/': RFC 6901 JSON Pointer ("/org/id", "~1" is '/', "~0" is '~'); a segment of
    /// digits
    ///   also names an array element;
    /// - contains ':' or '/': one top-level member of exactly this name
    /// ("https://x.example/tenant");
    /// - otherwise '.' separates nested member names ("tenant", "org.id"); arrays are not entered.
    /// Error: claim_path_malformed for an empty path or segment, bad '~' escapes, control
    /// characters, bytes that are not UTF-8, more than kMaxClaimPathBytes or kMaxClaimPathSegments.
    static Result<ClaimPath> parse(std::string_view text);

    /// True when this path leads to `place`, as given by JsonPlace::encoded(). Never true for the
    /// default-constructed path.
    bool leads_to(std::string_view place) const;

    const std::vector<std::string> &segments() const { return segments_; }

private:
    std::vector<std::string> segments_;
    bool enters_arrays_ = false;
};

} // namespace tenancy::core
