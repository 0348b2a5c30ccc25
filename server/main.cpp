// The command line of tenancyd.
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "apply.hpp"
#include "config.hpp"
#include "doctor.hpp"
#include "keys/key_sync.hpp"
#include "serve.hpp"
#include "tls.hpp"

#ifndef TENANCYD_VERSION
#define TENANCYD_VERSION "unknown"
#endif

namespace {

using tenancy::server::LoadedConfig;
using tenancy::server::TlsConfig;

constexpr int kUsageError = 2;

constexpr const char *kUsage =
    "tenancyd - HTTP server of pg_tenancy\n"
    "\n"
    "  tenancyd serve --config FILE    serve until SIGTERM or SIGINT; SIGHUP reads the file again\n"
    "  tenancyd sync-keys --config FILE [--once]\n"
    "                                  keep the issuers' signing keys current, in a role of its "
    "own\n"
    "  tenancyd check-config FILE      check a configuration file and exit (also --check-config)\n"
    "  tenancyd apply [--dry-run] [--database-url URL] --config FILE\n"
    "                                  write issuers, tenants, limits and prices as an "
    "administrator;\n"
    "                                  shows what changes\n"
    "  tenancyd doctor [--json] [--min-severity LEVEL] [--database-url URL | FILE]\n"
    "                                  print every way around the wall; status 0 none, 1 some, 2 "
    "cannot tell\n"
    "  tenancyd --version              print the version\n"
    "  tenancyd --help                 print this text\n"
    "\n"
    "server/tenancyd.example.yaml lists every key of the configuration with its default.\n";

// A terminal that is gone is no reason to fail.
void print(std::FILE *to, const std::string &text) {
    static_cast<void>(std::fputs(text.c_str(), to));
}

int usage_error(const std::string &problem) {
    print(stderr, "tenancyd: " + problem + "\nRun \"tenancyd --help\" for the commands.\n");
    return kUsageError;
}

// Prints warnings and mistakes; true when the configuration can be used.
bool report(const LoadedConfig &loaded) {
    for (const std::string &warning : loaded.config.warnings)
        print(stderr, "warning: " + warning + "\n");
    for (const std::string &error : loaded.errors)
        print(stderr, "error: " + error + "\n");
    return loaded.errors.empty();
}

int check_config(const std::string &file) {
    const LoadedConfig loaded = tenancy::server::load_config_file(file);
    if (!report(loaded))
        return 1;
    const TlsConfig &tls = loaded.config.tls;
    if (!tls.certificate_file.empty()) {
        const auto made = tenancy::server::make_tls_context(tls);
        if (const auto *problem = std::get_if<std::string>(&made)) {
            print(stderr, "error: " + file + ": server.tls: " + *problem + "\n");
            return 1;
        }
    }
    print(stdout, file + ": ok\n");
    return 0;
}

int serve(const std::string &file) {
    const LoadedConfig loaded = tenancy::server::load_config_file(file);
    return report(loaded) ? tenancy::server::serve(loaded.config, file) : 1;
}

int sync_keys(const std::string &file, bool once) {
    const LoadedConfig loaded = tenancy::server::load_config_file(file);
    return report(loaded) ? tenancy::server::keys::sync_keys(loaded.config, file, once) : 1;
}

int run(const std::vector<std::string_view> &words) {
    const std::string_view command = words.empty() ? "--help" : words.front();
    if (command == "--help" || command == "-h" || command == "help") {
        print(stdout, kUsage);
        return words.empty() ? kUsageError : 0;
    }
    if (command == "--version" || command == "version") {
        print(stdout, "tenancyd " TENANCYD_VERSION "\n");
        return 0;
    }
    if (command == "check-config" || command == "--check-config")
        return words.size() == 2 ? check_config(std::string(words[1]))
                                 : usage_error("check-config needs the name of one file");
    if (command == "apply")
        return tenancy::server::apply({words.begin() + 1, words.end()});
    if (command == "doctor")
        return tenancy::server::doctor({words.begin() + 1, words.end()});
    if (command == "serve") {
        if (words.size() == 3 && (words[1] == "--config" || words[1] == "-c"))
            return serve(std::string(words[2]));
        return usage_error("serve needs --config FILE");
    }
    if (command == "sync-keys") {
        const bool once = words.back() == "--once";
        if (words.size() == (once ? 4 : 3) && (words[1] == "--config" || words[1] == "-c"))
            return sync_keys(std::string(words[2]), once);
        return usage_error("sync-keys needs --config FILE, and may have --once");
    }
    return usage_error("unknown command \"" + std::string(command.substr(0, 40)) + "\"");
}

} // namespace

int main(int argc, char **argv) {
    try {
        return run({argv + 1, argv + argc});
    } catch (const std::exception &problem) {
        print(stderr, std::string("tenancyd: cannot go on: ") + problem.what() + "\n");
        return 1;
    }
}
