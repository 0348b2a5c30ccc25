#include "apply.hpp"

#include <cstdio>
#include <stdexcept>

#include "apply_text.hpp"
#include "config_env.hpp"

namespace tenancy::server {

namespace {

constexpr int kDone = 0;
constexpr int kRefused = 1;
constexpr int kUsageError = 2;
constexpr std::chrono::seconds kPatience{60}; // another apply may be at work

constexpr const char *kUsage =
    "usage: tenancyd apply [--dry-run] [--database-url URL] --config FILE\n"
    "The URL is an administrator's; without one, server.tenancy.admin_url of the file, that of "
    "the\n"
    "environment's TENANCYD_DATABASE_URL, or PGHOST, PGDATABASE and the rest of libpq's.\n"
    "A URL on the command line is seen by everyone on this machine.\n";

class Refused : public std::runtime_error {
    using std::runtime_error::runtime_error;
};
class UsageError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Options {
    bool dry_run = false;
    Secret url;
    std::string file;
};

void print(std::FILE *to, const std::string &text) {
    static_cast<void>(std::fputs(text.c_str(), to));
}

Options read_options(const std::vector<std::string_view> &words) {
    Options options;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const bool has_value = i + 1 < words.size();
        if (words[i] == "--dry-run")
            options.dry_run = true;
        else if (words[i] == "--database-url" && has_value)
            options.url = Secret(std::string(words[++i]));
        else if ((words[i] == "--config" || words[i] == "-c") && has_value && options.file.empty())
            options.file = words[++i];
        else
            throw UsageError("a word too many, or one without its value");
    }
    if (options.file.empty())
        throw UsageError("apply needs --config FILE");
    return options;
}

Config load(const std::string &file) {
    LoadedConfig loaded = load_config_file(file);
    for (const std::string &warning : loaded.config.warnings)
        print(stderr, "warning: " + warning + "\n");
    for (const std::string &error : loaded.errors)
        print(stderr, "error: " + error + "\n");
    if (!loaded.errors.empty())
        throw Refused("the file has errors; nothing was written");
    return std::move(loaded.config);
}

// Never the URL of the serving role, and never a database that nobody named.
Secret database_url(const Options &options, const Config &config) {
    if (!options.url.empty())
        return options.url;
    if (config.tenancy.admin_url)
        return *config.tenancy.admin_url;
    if (const auto url = process_environment("TENANCYD_DATABASE_URL"); url && !url->empty())
        return Secret(*url);
    for (const char *name : {"PGDATABASE", "PGSERVICE", "PGHOST"})
        if (process_environment(name))
            return {}; // libpq reads its environment
    throw UsageError("no database to write to");
}

std::string explain(const db::Error &error) {
    if (error.sqlstate.empty())
        return "the connection was lost, or the answer took too long";
    if (error.sqlstate == "42883" || error.sqlstate == "3F000")
        return "this database has no tenancy.apply_config(): CREATE EXTENSION pg_tenancy, or ALTER "
               "EXTENSION pg_tenancy UPDATE";
    std::string text = error.message + " (SQLSTATE " + error.sqlstate + ")";
    if (!error.detail.empty())
        text += "\n" + error.detail;
    if (error.sqlstate == "42501")
        text += "\nConnect as an administrator: the owner of the extension, or a role with EXECUTE "
                "on tenancy.apply_config(). The role that serves requests never can.";
    else if (!error.hint.empty())
        text += "\n" + error.hint;
    return text;
}

std::string run(const Options &options) {
    const Config config = load(options.file);
    const std::string json = apply_json(config);
    const auto connection = db::Connection::open(
        {database_url(options, config), std::chrono::seconds(5), kPatience, false});
    if (!connection)
        throw Refused("cannot connect to the database; the line above says why");
    const db::Outcome outcome =
        connection->run(db::Statement::apply_config, {json, options.dry_run ? "true" : "false"});
    if (const auto *error = std::get_if<db::Error>(&outcome))
        throw Refused(explain(*error) + "\nnothing was written");
    return apply_report(std::get<db::Rows>(outcome), options.dry_run);
}

} // namespace

int apply(const std::vector<std::string_view> &words) try {
    print(stdout, run(read_options(words)));
    return kDone;
} catch (const UsageError &problem) {
    print(stderr, std::string("tenancyd apply: ") + problem.what() + "\n" + kUsage);
    return kUsageError;
} catch (const std::exception &problem) {
    print(stderr, std::string("tenancyd apply: ") + problem.what() + "\n");
    return kRefused;
}

} // namespace tenancy::server
