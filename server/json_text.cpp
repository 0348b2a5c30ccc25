#include "json_text.hpp"

#include <nlohmann/json.hpp>

namespace tenancy::server {

namespace {

constexpr std::string_view kSpace = " \t\r\n";
constexpr int kMaxDepth = 128;

// Deepest nesting of brackets outside strings, counted without recursion.
int depth_of(std::string_view text) {
    int depth = 0;
    int deepest = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\')
                ++i;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            deepest = std::max(deepest, ++depth);
        } else if (c == ']' || c == '}') {
            --depth;
        }
    }
    return deepest;
}

// Follows a text from the outside and knows at each point which member it is in.
class DefectFinder : public nlohmann::json_sax<nlohmann::json> {
public:
    std::optional<JsonDefect> found;

    bool null() override { return leave_value(); }
    bool boolean(bool) override { return leave_value(); }
    bool number_integer(number_integer_t) override { return leave_value(); }
    bool number_unsigned(number_unsigned_t) override { return leave_value(); }
    bool number_float(number_float_t, const string_t &) override { return leave_value(); }
    bool binary(binary_t &) override { return leave_value(); }
    bool string(string_t &text) override { return is_storable(text) && leave_value(); }
    bool start_object(std::size_t) override { return enter({false, 0, ""}); }
    bool start_array(std::size_t) override { return enter({true, 0, ""}); }
    bool end_object() override { return leave(); }
    bool end_array() override { return leave(); }
    bool key(string_t &name) override {
        steps_.back().name = name.substr(0, kMaxNameBytes);
        return is_storable(name);
    }
    bool parse_error(std::size_t position, const std::string &,
                     const nlohmann::json::exception &error) override {
        const bool is_syntax = dynamic_cast<const nlohmann::json::parse_error *>(&error) != nullptr;
        return stop(is_syntax ? "not valid JSON near byte " + std::to_string(position)
                              : "a number is out of range",
                    position);
    }

private:
    struct Place {
        bool is_array;
        std::size_t index;
        std::string name;
    };
    static constexpr std::size_t kMaxNameBytes = 64;
    static constexpr std::size_t kMaxNamed = 16;

    bool enter(Place step) {
        if (steps_.size() >= kMaxDepth)
            return stop("nested deeper than " + std::to_string(kMaxDepth) + " levels", 0);
        steps_.push_back(std::move(step));
        return true;
    }
    bool leave() {
        steps_.pop_back();
        return leave_value();
    }
    bool leave_value() {
        if (!steps_.empty() && steps_.back().is_array)
            ++steps_.back().index;
        return true;
    }
    // PostgreSQL cannot store U+0000, and says so with the text around it in its log.
    bool is_storable(const std::string &text) {
        return text.find('\0') == std::string::npos ||
               stop("a string holds the character U+0000", 0);
    }
    bool stop(std::string reason, std::size_t position) {
        auto loc = nlohmann::json::array({"body"});
        for (const Place &step : steps_) {
            if (loc.size() > kMaxNamed)
                break;
            if (step.is_array)
                loc.push_back(step.index);
            else if (!step.name.empty())
                loc.push_back(step.name);
        }
        if (loc.size() == 1)
            loc.push_back(position);
        found = {std::move(reason),
                 loc.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
        return false;
    }

    std::vector<Place> steps_;
};

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(kSpace);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

} // namespace

bool is_nested_too_deep(std::string_view text) {
    return depth_of(text) > kMaxDepth;
}

std::optional<JsonDefect> json_defect(std::string_view text) {
    if (text.starts_with("\xEF\xBB\xBF")) // RFC 8259, section 8.1; the library would skip it
        return JsonDefect{"it starts with a byte order mark", R"(["body",0])"};
    DefectFinder finder;
    if (!nlohmann::json::sax_parse(text, &finder) && !finder.found)
        finder.found = {"not valid JSON", R"(["body",0])"};
    return finder.found;
}

bool is_json_object(std::string_view text) {
    const std::string_view value = trimmed(text);
    return !value.empty() && value.front() == '{';
}

std::string with_members(std::string_view object, const Members &members) {
    std::string_view inside = trimmed(object);
    inside = trimmed(inside.substr(1, inside.size() - 2));
    std::string text = "{";
    text += inside;
    bool first = inside.empty();
    for (const auto &[name, value] : members) {
        if (!first)
            text += ',';
        first = false;
        text += nlohmann::json(name).dump();
        text += ':';
        text +=
            nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    }
    text += '}';
    return text;
}

} // namespace tenancy::server
