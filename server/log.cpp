#include "log.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace tenancy::server {

namespace {

constexpr std::size_t kMaxText = 256;

spdlog::logger &logger() {
    // Function-local: made on first use, by whichever thread logs first.
    static const auto instance = [] {
        auto made = std::make_shared<spdlog::logger>(
            "tenancyd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v})", spdlog::pattern_time_type::utc);
        made->flush_on(spdlog::level::trace);
        return made;
    }();
    return *instance;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
    switch (level) {
    case LogLevel::debug:
        return spdlog::level::debug;
    case LogLevel::info:
        return spdlog::level::info;
    case LogLevel::warn:
        return spdlog::level::warn;
    case LogLevel::error:
        break;
    }
    return spdlog::level::err;
}

const char *level_name(LogLevel level) {
    switch (level) {
    case LogLevel::debug:
        return "debug";
    case LogLevel::info:
        return "info";
    case LogLevel::warn:
        return "warn";
    case LogLevel::error:
        break;
    }
    return "error";
}

std::string quoted(std::string_view value) {
    return nlohmann::json(std::string(value.substr(0, kMaxText)))
        .dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

template <typename Fields>
void write_line(LogLevel level, std::string_view event, const Fields &fields) noexcept {
    try {
        if (!logger().should_log(to_spdlog(level)))
            return;
        std::string line = R"("level":")" + std::string(level_name(level)) + R"(","event":)";
        line += quoted(event);
        for (const auto &[name, value] : fields) {
            line += R"(,")";
            line += name;
            line += R"(":)";
            line += value;
        }
        logger().log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
    } catch (...) {
        // A line lost is better than a request lost; nothing sensible is left to tell it to.
        return;
    }
}

} // namespace

LogField log_text(std::string_view name, std::string_view value) {
    return {name, quoted(value)};
}

LogField log_number(std::string_view name, long long value) {
    return {name, std::to_string(value)};
}

LogField log_number(std::string_view name, double value) {
    return {name, nlohmann::json(value).dump()};
}

void log_set_level(LogLevel level) {
    logger().set_level(to_spdlog(level));
}

void log_event(LogLevel level, std::string_view event,
               std::initializer_list<LogField> fields) noexcept {
    write_line(level, event, fields);
}

void log_line(LogLevel level, std::string_view event,
              const std::vector<LogField> &fields) noexcept {
    write_line(level, event, fields);
}

} // namespace tenancy::server
