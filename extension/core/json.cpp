// The only file that includes nlohmann/json: its SAX interface, never its tree.
#include "core/json.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

namespace tenancy::core {

std::string_view JsonPlace::name(std::size_t level) const {
    const std::size_t begin = starts_[level] + 1;
    const std::size_t end = level + 1 < starts_.size() ? starts_[level + 1] : text_.size();
    return std::string_view(text_).substr(begin, end - 1 - begin);
}

bool JsonPlace::is_member(std::string_view name) const {
    return depth() == 1 && !is_index(0) && this->name(0) == name;
}

void JsonPlace::enter_member(std::string_view name) {
    starts_.push_back(text_.size());
    text_.push_back(kMember);
    text_.append(name);
    text_.push_back('\0');
}

void JsonPlace::enter_element(std::size_t index) {
    constexpr std::size_t kMostDigits = 20;
    std::array<char, kMostDigits> digits{};
    const char *end = std::to_chars(digits.data(), digits.data() + kMostDigits, index).ptr;
    starts_.push_back(text_.size());
    text_.push_back(kIndex);
    text_.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
    text_.push_back('\0');
}

void JsonPlace::leave_to(std::size_t depth) {
    if (depth >= starts_.size())
        return;
    text_.resize(starts_[depth]);
    starts_.resize(depth);
}

namespace {

using Kind = JsonValue::Kind;

struct Frame {
    bool is_array;
    std::size_t next_index;
    std::size_t first_name; // names_ from here on belong to this object
};

// Receives nlohmann's events. Every member returns false to stop, after `why_` was set.
class Pass {
public:
    Pass(const JsonLimits &limits, const JsonVisitor &visitor)
        : limits_(limits), visitor_(visitor) {}

    Code why() const { return why_; }

    bool null() { return value({.kind = Kind::null}); }
    bool boolean(bool truth) { return value({.kind = Kind::boolean, .truth = truth}); }
    bool number_integer(std::int64_t number) {
        return value({.kind = Kind::integer, .integer = number});
    }
    bool number_unsigned(std::uint64_t number);
    bool number_float(double number, const std::string &text);
    bool string(std::string &text);
    bool binary(nlohmann::json::binary_t &) { return stop(Code::json_malformed); }
    bool start_object(std::size_t) { return open(Kind::object); }
    bool end_object();
    bool start_array(std::size_t) { return open(Kind::array); }
    bool end_array();
    bool key(std::string &name);
    bool parse_error(std::size_t, const std::string &, const nlohmann::json::exception &error);

private:
    bool stop(Code why) {
        if (why_ == Code::ok)
            why_ = why;
        return false;
    }
    bool value(const JsonValue &value);
    bool open(Kind kind);
    void close();

    const JsonLimits &limits_;
    const JsonVisitor &visitor_;
    JsonPlace place_;
    std::vector<Frame> frames_;
    std::string name_text_;
    std::vector<std::pair<std::size_t, std::size_t>> names_; // offset and length in name_text_
    std::size_t values_ = 0;
    Code why_ = Code::ok;
};

bool Pass::number_unsigned(std::uint64_t number) {
    if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        return stop(Code::json_number_out_of_range);
    return number_integer(static_cast<std::int64_t>(number));
}

// nlohmann also reports integers too long for 64 bits here, rounded: those are refused.
bool Pass::number_float(double, const std::string &text) {
    if (text.find_first_not_of("-0123456789") == std::string::npos)
        return stop(Code::json_number_out_of_range);
    // The lexer writes the decimal point of the C locale in force.
    std::string plain = text;
    if (const auto point = plain.find_first_not_of("-+0123456789eE"); point != std::string::npos)
        plain[point] = '.';
    return value({.kind = Kind::real, .text = plain});
}

bool Pass::string(std::string &text) {
    if (text.find('\0') != std::string::npos)
        return stop(Code::json_nul_character);
    return value({.kind = Kind::string, .text = text});
}

bool Pass::key(std::string &name) {
    if (name.find('\0') != std::string::npos)
        return stop(Code::json_nul_character);
    names_.emplace_back(name_text_.size(), name.size());
    name_text_.append(name);
    place_.leave_to(frames_.size() - 1);
    place_.enter_member(name);
    return true;
}

bool Pass::value(const JsonValue &value) {
    if (frames_.empty())
        return stop(Code::json_not_object);
    if (++values_ > limits_.max_values)
        return stop(Code::json_too_many_values);
    if (frames_.back().is_array) {
        place_.leave_to(frames_.size() - 1);
        place_.enter_element(frames_.back().next_index++);
    }
    const Code verdict = visitor_(place_, value);
    return verdict == Code::ok || stop(verdict);
}

bool Pass::open(Kind kind) {
    const bool is_root = frames_.empty() && kind == Kind::object;
    if (!is_root && !value({.kind = kind}))
        return false;
    if (frames_.size() >= limits_.max_depth)
        return stop(Code::json_too_deep);
    frames_.push_back({kind == Kind::array, 0, names_.size()});
    return true;
}

void Pass::close() {
    frames_.pop_back();
    place_.leave_to(frames_.empty() ? 0 : frames_.size());
}

bool Pass::end_array() {
    close();
    return true;
}

// Names are compared when their object ends, sorted: n log n for an attacker, no allocation per
// name.
bool Pass::end_object() {
    const std::string_view text = name_text_;
    const auto spelled = [text](const auto &name) { return text.substr(name.first, name.second); };
    const std::size_t first_name = frames_.back().first_name;
    const auto begin = names_.begin() + static_cast<std::ptrdiff_t>(first_name);
    if (begin != names_.end()) {
        const std::size_t first_byte = begin->first;
        std::sort(begin, names_.end(),
                  [&spelled](const auto &a, const auto &b) { return spelled(a) < spelled(b); });
        const auto twin =
            std::adjacent_find(begin, names_.end(), [&spelled](const auto &a, const auto &b) {
                return spelled(a) == spelled(b);
            });
        if (twin != names_.end())
            return stop(Code::json_duplicate_member);
        names_.resize(first_name);
        name_text_.resize(first_byte);
    }
    close();
    return true;
}

bool Pass::parse_error(std::size_t, const std::string &, const nlohmann::json::exception &error) {
    constexpr int kNumberOverflow = 406;
    return stop(error.id == kNumberOverflow ? Code::json_number_out_of_range
                                            : Code::json_malformed);
}

} // namespace

Code read_json_object(std::string_view json, const JsonLimits &limits, const JsonVisitor &visitor) {
    // nlohmann skips a byte order mark and takes a raw NUL for the end of the text.
    if (json.starts_with("\xEF\xBB\xBF"))
        return Code::json_malformed;
    if (json.find('\0') != std::string_view::npos)
        return Code::json_nul_character;
    Pass pass(limits, visitor);
    const bool done = nlohmann::json::sax_parse(json.begin(), json.end(), &pass);
    if (pass.why() != Code::ok)
        return pass.why();
    return done ? Code::ok : Code::json_malformed;
}

} // namespace tenancy::core
