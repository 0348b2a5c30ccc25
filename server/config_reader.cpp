#include "config_reader.hpp"

#include <algorithm>
#include <charconv>
#include <set>

namespace tenancy::server {

namespace {

int line_number(const YAML::Node &node) {
    return node ? node.Mark().line + 1 : 0;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j < row.size(); ++j)
        row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row.back();
}

std::string joined(const std::vector<std::string> &words) {
    std::string text;
    for (const std::string &word : words)
        text += (text.empty() ? "" : ", ") + word;
    return text;
}

// Values are quoted in messages but bounded, and never shown for keys that hold secrets.
std::string shown(const std::string &value) {
    return "\"" + value.substr(0, 60) + (value.size() > 60 ? "...\"" : "\"");
}

template <typename T>
bool parse_whole(const std::string &text, T &value) {
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    return problem == std::errc() && end == text.data() + text.size();
}

} // namespace

void ConfigReport::error(int line, const std::string &key, const std::string &message) {
    errors.push_back(file + (line > 0 ? ":" + std::to_string(line) : "") + ": " +
                     (key.empty() ? "" : key + ": ") + message);
}

void ConfigReport::warn(int line, const std::string &key, const std::string &message) {
    warnings.push_back(file + ":" + std::to_string(line) + ": " + key + ": " + message);
}

std::string closest_word(std::string_view word, const std::vector<std::string> &known) {
    std::string best;
    std::size_t best_distance = word.size() > 8 ? 4 : 3;
    for (const std::string &candidate : known) {
        const std::size_t distance = edit_distance(word, candidate);
        if (distance < best_distance && distance < candidate.size()) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

Section::Section(ConfigReport &report, const YAML::Node &node, std::string path)
    : report_(&report), node_(node), path_(std::move(path)) {
    if (node_.IsDefined() && !node_.IsNull() && !node_.IsMap()) {
        report_->error(line_number(node_), path_,
                       "must be a mapping of keys. Indent its keys below.");
        node_ = YAML::Node();
    }
}

std::string Section::key_path(const std::string &key) const {
    return path_.empty() ? key : path_ + "." + key;
}

YAML::Node Section::find(const std::string &key) {
    known_.push_back(key);
    if (!node_.IsMap())
        return {};
    const YAML::Node &constant = node_; // the const operator[] does not create the key
    const YAML::Node value = constant[key];
    return value.IsDefined() ? value : YAML::Node();
}

int Section::line_of(const std::string &key) const {
    if (node_.IsMap())
        for (const auto &entry : node_)
            if (entry.first.IsScalar() && entry.first.Scalar() == key)
                return line_number(entry.first);
    return line_number(node_);
}

void Section::error(const std::string &key, const std::string &message) {
    report_->error(line_of(key), key_path(key), message);
}

bool Section::has(const std::string &key) {
    return !find(key).IsNull();
}

Section Section::section(const std::string &key) {
    return {*report_, find(key), key_path(key)};
}

std::vector<Section> Section::sections(const std::string &key) {
    const YAML::Node list = find(key);
    std::vector<Section> out;
    if (list.IsNull())
        return out;
    if (!list.IsSequence()) {
        error(key, "must be a list. Start each entry with \"- \".");
        return out;
    }
    for (std::size_t i = 0; i < list.size(); ++i)
        out.emplace_back(*report_, list[i], key_path(key) + "[" + std::to_string(i) + "]");
    return out;
}

std::vector<std::pair<std::string, Section>> Section::named_sections() {
    std::vector<std::pair<std::string, Section>> out;
    if (!node_.IsMap())
        return out;
    for (const auto &entry : node_) {
        const auto name = entry.first.as<std::string>();
        known_.push_back(name);
        out.emplace_back(name, Section(*report_, entry.second, key_path(name)));
    }
    return out;
}

std::vector<std::pair<std::string, std::string>> Section::named_texts() {
    std::vector<std::pair<std::string, std::string>> out;
    if (!node_.IsMap())
        return out;
    for (const auto &entry : node_) {
        const auto name = entry.first.as<std::string>();
        known_.push_back(name);
        if (auto value = scalar(entry.second, name))
            out.emplace_back(name, std::move(*value));
    }
    return out;
}

std::optional<std::string> Section::scalar(const YAML::Node &node, const std::string &key) {
    if (!node.IsScalar()) {
        error(key, "must be a single value.");
        return std::nullopt;
    }
    Expanded expanded = expand_environment(node.Scalar(), report_->environment);
    if (!expanded.error.empty()) {
        report_->error(line_number(node), key_path(key), expanded.error);
        return std::nullopt;
    }
    return std::move(expanded.text);
}

std::optional<std::string> Section::text(const std::string &key) {
    const YAML::Node node = find(key);
    return node.IsNull() ? std::nullopt : scalar(node, key);
}

std::vector<std::string> Section::texts(const std::string &key) {
    const YAML::Node node = find(key);
    std::vector<std::string> out;
    if (node.IsNull())
        return out;
    if (node.IsScalar()) { // one value stands for a list of one
        if (auto value = scalar(node, key))
            out.push_back(std::move(*value));
        return out;
    }
    if (!node.IsSequence()) {
        error(key, "must be a value or a list of values.");
        return out;
    }
    for (const auto &item : node)
        if (auto value = scalar(item, key))
            out.push_back(std::move(*value));
    return out;
}

std::optional<long> Section::number(const std::string &key, long least, long most) {
    const auto value = text(key);
    if (!value)
        return std::nullopt;
    long number = 0;
    if (parse_whole(*value, number) && number >= least && number <= most)
        return number;
    error(key, "must be a whole number from " + std::to_string(least) + " to " +
                   std::to_string(most) + ", not " + shown(*value) + ".");
    return std::nullopt;
}

std::optional<double> Section::real(const std::string &key, double least, double most) {
    const auto value = text(key);
    if (!value)
        return std::nullopt;
    double number = 0;
    if (parse_whole(*value, number) && number >= least && number <= most)
        return number;
    error(key, "must be a number from " + std::to_string(least) + " to " + std::to_string(most) +
                   ", not " + shown(*value) + ".");
    return std::nullopt;
}

std::optional<bool> Section::flag(const std::string &key) {
    const auto value = one_of(key, {"true", "false"});
    return value ? std::optional<bool>(*value == "true") : std::nullopt;
}

std::optional<std::string> Section::decimal(const std::string &key) {
    auto value = text(key);
    if (!value)
        return std::nullopt;
    const std::size_t point = value->find('.');
    const auto is_digits = [](std::string_view part) {
        return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
    };
    const std::string_view view = *value;
    const bool whole_ok = is_digits(view.substr(0, point));
    const bool fraction_ok = point == std::string::npos || is_digits(view.substr(point + 1));
    if (whole_ok && fraction_ok && value->size() <= 24)
        return value;
    error(key, "must be a plain decimal such as 12.50, not " + shown(*value) + ".");
    return std::nullopt;
}

std::optional<std::string> Section::one_of(const std::string &key,
                                           const std::vector<std::string> &words) {
    auto value = text(key);
    if (!value || std::find(words.begin(), words.end(), *value) != words.end())
        return value;
    const std::string guess = closest_word(*value, words);
    error(key, "must be one of " + joined(words) + ", not " + shown(*value) + "." +
                   (guess.empty() ? "" : " Did you mean \"" + guess + "\"?"));
    return std::nullopt;
}

void Section::seconds(const std::string &key, std::chrono::seconds &value, long least, long most) {
    if (const auto number = this->number(key, least, most))
        value = std::chrono::seconds(*number);
}

void Section::without_effect(const std::vector<std::string> &keys) {
    for (const std::string &key : keys)
        if (has(key))
            report_->warn(line_of(key), key_path(key), "has no effect in tenancyd.");
}

void Section::not_enforced(const std::string &key, const std::string &advice) {
    if (const YAML::Node block = find(key); block.size() > 0 || block.IsScalar())
        error(key, "is not enforced by tenancyd. Remove it. " + advice);
}

void Section::finish() {
    if (!node_.IsMap())
        return;
    std::set<std::string> seen;
    for (const auto &entry : node_) {
        const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "?";
        if (!seen.insert(key).second)
            report_->error(line_number(entry.first), key_path(key),
                           "is given twice. Keep one of them.");
        if (std::find(known_.begin(), known_.end(), key) != known_.end())
            continue;
        const std::string guess = closest_word(key, known_);
        report_->error(line_number(entry.first), key_path(key),
                       "unknown key." +
                           (guess.empty()
                                ? " Remove it; server/tenancyd.example.yaml lists all keys."
                                : " Did you mean \"" + guess + "\"?"));
    }
}

} // namespace tenancy::server
