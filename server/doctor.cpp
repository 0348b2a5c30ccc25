#include "doctor.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "config.hpp"
#include "config_env.hpp"
#include "db/connection.hpp"

namespace tenancy::server {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kNone = 0;
constexpr int kFindings = 1;
constexpr int kCannotRun = 2;
constexpr std::chrono::seconds kPatience{60}; // for databases with very many tables

constexpr std::array<std::string_view, 5> kSeverities = {"critical", "high", "medium", "low",
                                                         "info"};
// In the order of the columns of tenancy.finding.
constexpr std::array<const char *, 5> kColumns = {"rule", "severity", "object", "why", "fix"};
enum Column : std::size_t { rule, severity, object, why, fix };

constexpr const char *kUsage =
    "usage: tenancyd doctor [--json] [--min-severity critical|high|medium|low|info]\n"
    "                       [--database-url URL | CONFIG_FILE]\n"
    "The URL is an administrator's; without one, that of the environment's TENANCYD_DATABASE_URL.\n"
    "A URL on the command line is seen by everyone on this machine.\n";

// What makes the command end with kCannotRun; the text is for stderr.
class CannotRun : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Options {
    bool json = false;
    std::size_t least = 3; // index of kSeverities: low, as "info" is no hole
    Secret url;
    std::string config_file;
};

void print(std::FILE *to, const std::string &text) {
    static_cast<void>(std::fputs(text.c_str(), to));
}

std::size_t rank_of(std::string_view word) {
    const auto *const found = std::find(kSeverities.begin(), kSeverities.end(), word);
    if (found == kSeverities.end())
        throw CannotRun(std::string("unknown severity\n") + kUsage);
    return static_cast<std::size_t>(found - kSeverities.begin());
}

Options read_options(const std::vector<std::string_view> &words) {
    Options options;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string_view word = words[i];
        const bool has_value = i + 1 < words.size();
        if (word == "--json")
            options.json = true;
        else if (word == "--min-severity" && has_value)
            options.least = rank_of(words[++i]);
        else if (word == "--database-url" && has_value)
            options.url = Secret(std::string(words[++i]));
        else if (!word.empty() && word.front() != '-' && options.config_file.empty())
            options.config_file = word;
        else
            throw CannotRun(std::string("a word too many, or one without its value\n") + kUsage);
    }
    return options;
}

Secret database_url(const Options &options) {
    if (!options.url.empty())
        return options.url;
    if (options.config_file.empty())
        if (const auto url = process_environment("TENANCYD_DATABASE_URL"); url && !url->empty())
            return Secret(*url);
    if (options.config_file.empty())
        throw CannotRun(std::string("no database to ask\n") + kUsage);
    const LoadedConfig loaded = load_config_file(options.config_file);
    if (loaded.errors.empty())
        return loaded.config.storage.database_url;
    std::string problem = "the configuration cannot be used\n";
    for (const std::string &error : loaded.errors)
        problem += "error: " + error + "\n";
    throw CannotRun(problem);
}

// Why there is no answer, from SQLSTATE alone: messages may quote what must not be shown.
std::string explain(const db::Error &error) {
    if (error.sqlstate == "42501")
        return "this role may not run tenancy.check_isolation() or cannot see all that it looks "
               "at: "
               "connect as a superuser, or as a role with EXECUTE on it and USAGE on schema "
               "tenancy\n";
    if (error.sqlstate == "42883" || error.sqlstate == "3F000")
        return "this database has no tenancy.check_isolation(): CREATE EXTENSION pg_tenancy, or "
               "ALTER EXTENSION pg_tenancy UPDATE\n";
    if (error.sqlstate.empty())
        return "the connection was lost, or the answer took too long\n";
    return "the database answered with SQLSTATE " + error.sqlstate + "\n";
}

db::Rows ask(const Secret &url) {
    const auto connection = db::Connection::open({url, std::chrono::seconds(5), kPatience, false});
    if (!connection)
        throw CannotRun("cannot connect to the database; the line above says why\n");
    db::Outcome outcome = connection->run(db::Statement::doctor, {});
    if (const auto *error = std::get_if<db::Error>(&outcome))
        throw CannotRun(explain(*error));
    return std::get<db::Rows>(std::move(outcome));
}

// Names of objects may hold anything, a terminal's control sequences among it.
std::string shown(const db::Row &row, Column column) {
    std::string text = row.columns.at(column).value_or("");
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
    return text;
}

std::string as_text(const db::Rows &findings) {
    std::string text;
    std::array<std::size_t, kSeverities.size()> counts{};
    for (const db::Row &row : findings) {
        ++counts.at(rank_of(shown(row, severity)));
        text += shown(row, severity) + "  " + shown(row, rule) + "  " + shown(row, object) + "\n";
        text += "    " + shown(row, why) + "\n    fix: " + shown(row, fix) + "\n";
    }
    text += "doctor: " + std::to_string(findings.size()) + " findings";
    for (std::size_t i = 0; i < counts.size(); ++i)
        if (counts.at(i) > 0)
            text += ", " + std::to_string(counts.at(i)) + " " + std::string(kSeverities.at(i));
    return text + "\n";
}

std::string as_json(const db::Rows &findings) {
    Json list = Json::array();
    for (const db::Row &row : findings) {
        Json entry = Json::object();
        for (std::size_t i = 0; i < kColumns.size(); ++i)
            entry[kColumns.at(i)] = row.columns.at(i).value_or("");
        list.push_back(std::move(entry));
    }
    return Json{{"findings", std::move(list)}}.dump(2, ' ', false, Json::error_handler_t::replace) +
           "\n";
}

} // namespace

int doctor(const std::vector<std::string_view> &words) try {
    const Options options = read_options(words);
    db::Rows findings = ask(database_url(options));
    findings.erase(std::remove_if(findings.begin(), findings.end(),
                                  [&](const db::Row &row) {
                                      return rank_of(row.columns.at(severity).value_or("")) >
                                             options.least;
                                  }),
                   findings.end());
    print(stdout, options.json ? as_json(findings) : as_text(findings));
    return findings.empty() ? kNone : kFindings;
} catch (const std::exception &problem) {
    print(stderr, std::string("tenancyd doctor: ") + problem.what());
    return kCannotRun;
}

} // namespace tenancy::server
