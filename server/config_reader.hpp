// Strict, typed reading of one YAML mapping: remembers which keys were asked for, so that every
// other key in the file can be reported with its line and the key that was probably meant.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <yaml-cpp/yaml.h>

#include "config_env.hpp"

namespace tenancy::server {

/// Where mistakes and warnings of one file are collected.
struct ConfigReport {
    std::string file;
    Environment environment;
    std::vector<std::string> errors;
    std::vector<std::string> warnings;

    /// line is 1-based; 0 leaves it out.
    void error(int line, const std::string &key, const std::string &message);
    void warn(int line, const std::string &key, const std::string &message);
};

/// The known word within two edits of `word` (three for long words), or "".
std::string closest_word(std::string_view word, const std::vector<std::string> &known);

/// One mapping of the file. Absent and null mappings read as empty ones.
class Section {
public:
    Section(ConfigReport &report, const YAML::Node &node, std::string path);

    Section section(const std::string &key);
    /// The elements of a list of mappings; empty when absent.
    std::vector<Section> sections(const std::string &key);
    /// (name, mapping) of a mapping whose keys are free names; marks them all as known.
    std::vector<std::pair<std::string, Section>> named_sections();

    std::optional<std::string> text(const std::string &key);
    std::vector<std::string> texts(const std::string &key);
    /// All (name, value) of a mapping whose keys are free names; marks them all as known.
    std::vector<std::pair<std::string, std::string>> named_texts();
    std::optional<long> number(const std::string &key, long least, long most);
    std::optional<double> real(const std::string &key, double least, double most);
    std::optional<bool> flag(const std::string &key);
    /// A plain decimal such as "12.50", never negative; kept as text so that no digit is lost.
    std::optional<std::string> decimal(const std::string &key);
    std::optional<std::string> one_of(const std::string &key,
                                      const std::vector<std::string> &words);

    /// Whole seconds from `key`, or what it was.
    void seconds(const std::string &key, std::chrono::seconds &value, long least, long most);

    /// Known keys of the agent.yaml layout that this server does not use: one warning each.
    void without_effect(const std::vector<std::string> &keys);
    /// A block of the agent.yaml layout that would protect there and does nothing here: an error
    /// unless it is empty, so that nobody relies on it.
    void not_enforced(const std::string &key, const std::string &advice);
    /// Reports every key nobody asked for, and duplicates. Call it last.
    void finish();

    void error(const std::string &key, const std::string &message);
    bool has(const std::string &key);

private:
    YAML::Node find(const std::string &key);
    std::string key_path(const std::string &key) const;
    int line_of(const std::string &key) const;
    std::optional<std::string> scalar(const YAML::Node &node, const std::string &key);

    ConfigReport *report_;
    YAML::Node node_;
    std::string path_;
    std::vector<std::string> known_;
};

} // namespace tenancy::server
