// One strict pass over a JSON object. No tree is built: the visitor picks what it needs.
#pragma once

#include "core/pure.hpp"

#include "core/code.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace tenancy::core {

struct JsonLimits {
    std::size_t max_depth;  // the root object is depth 1
    std::size_t max_values; // scalars, objects and arrays together
};

/// Limits for the claims of a token, and for its header: that one is read before anything is known.
inline constexpr JsonLimits kTokenJson{16, 4096};
inline constexpr JsonLimits kHeaderJson{16, 64};

/// Where a value stands in the document.
class JsonPlace {
public:
    /// 0 for the root, 1 for its members.
    std::size_t depth() const { return starts_.size(); }
    /// True when the step at `level` (0-based) goes to an array element.
    bool is_index(std::size_t level) const { return text_[starts_[level]] == kIndex; }
    /// Member name, after unescaping, or decimal index of the step at `level`.
    std::string_view name(std::size_t level) const;
    /// True for the member `name` of the root.
    bool is_member(std::string_view name) const;
    /// All steps as one string: kMember or kIndex, the name, a NUL (no name can hold one).
    std::string_view encoded() const { return text_; }

    static constexpr char kMember = 'm';
    static constexpr char kIndex = 'i';

    void enter_member(std::string_view name);
    void enter_element(std::size_t index);
    /// Forgets the steps beyond `depth`.
    void leave_to(std::size_t depth);

private:
    std::string text_;
    std::vector<std::size_t> starts_;
};

struct JsonValue {
    enum class Kind { null, boolean, integer, real, string, object, array };
    Kind kind;
    bool truth = false;
    std::int64_t integer = 0;
    /// The string after unescaping, or the real number as spelled. Good during the visit only.
    std::string_view text{};

    bool is_string() const { return kind == Kind::string; }
};

/// Called for every value but the root, containers before what they hold. Anything but `ok` stops
/// the pass.
using JsonVisitor = std::function<Code(const JsonPlace &, const JsonValue &)>;

/// Reads `json`, which must be one object (RFC 8259) in UTF-8. Stricter than the RFC: refuses a
/// byte order mark, NUL characters in any spelling, two members of one name at any level (compared
/// after unescaping), integers outside int64, and what exceeds `limits`. Events already delivered
/// are void when the result is not `ok`. Errors: json_*, or what the visitor returned.
Code read_json_object(std::string_view json, const JsonLimits &limits, const JsonVisitor &visitor);

} // namespace tenancy::core
