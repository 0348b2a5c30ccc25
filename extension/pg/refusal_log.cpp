#include "pg/postgres.hpp"

#include "pg/refusal_log.hpp"

#include "pg/registry.hpp"
#include "pg/token_stats.hpp"

#include <cstring>

namespace tenancy::pg {

namespace {

constexpr std::int64_t kUsPerSecond = 1'000'000;

int lines_per_second = 10;
const char *muted_function = nullptr; // that raised what must not be logged; nullptr = none
emit_log_hook_type previous_hook = nullptr;

// A refusal that an EXCEPTION block catches never comes here, and others' errors may have its
// SQLSTATE: it is known by the function that raised it, for each refusal decides anew.
void keep_out(ErrorData *error) {
    if (error->elevel >= ERROR && muted_function != nullptr && error->funcname != nullptr &&
        std::strcmp(error->funcname, muted_function) == 0)
        error->output_to_server = false;
    if (previous_hook != nullptr)
        previous_hook(error);
}

} // namespace

void refusal_log_install() {
    DefineCustomIntVariable(
        "tenancy.refusal_log_rate", "Refused tokens written to the server log per second.",
        "The others are counted in tenancy.stat_tokens only.", &lines_per_second, lines_per_second,
        0, INT_MAX, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    previous_hook = emit_log_hook;
    emit_log_hook = keep_out;
}

uint64 refusal_log_begin(const char *raised_by) {
    uint64 skipped = 0;
    const auto second = static_cast<uint64>(wall_clock_us() / kUsPerSecond);
    const bool may_write =
        token_stats_take_line(second, static_cast<uint64>(lines_per_second), skipped);
    muted_function = may_write ? nullptr : raised_by;
    return skipped;
}

} // namespace tenancy::pg
