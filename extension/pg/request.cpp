#include "pg/postgres.hpp"

#include "pg/request.hpp"

#include <cstring>

namespace tenancy::pg {

namespace {

constexpr std::size_t kMaxBytes = 256;
constexpr std::size_t kMaxListBytes = 2048;

char *request_id = nullptr;
char *traceparent = nullptr;
char *model = nullptr;
char *fallback_models = nullptr;
char *instance_id = nullptr;
int max_output_tokens = 4096;
int turn_deadline = 3600;

// Bounded and printable: these values end up in audit rows and logs.
template <std::size_t kMost>
bool check_text(char **newval, void ** /*extra*/, GucSource /*source*/) {
    const std::size_t length = *newval == nullptr ? 0 : std::strlen(*newval);
    if (length > kMost) {
        GUC_check_errdetail("The value is longer than %zu bytes.", kMost);
        return false;
    }
    for (std::size_t i = 0; i < length; i++)
        if ((*newval)[i] < ' ' || (*newval)[i] > '~') {
            GUC_check_errdetail("The value holds something else than printable ASCII.");
            return false;
        }
    return true;
}

void define(const char *name, const char *what, char **value,
            GucStringCheckHook check = check_text<kMaxBytes>) {
    DefineCustomStringVariable(name, what, nullptr, value, "", PGC_USERSET,
                               GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE, check, nullptr, nullptr);
}

void define_number(const char *name, const char *what, int *value, int most) {
    DefineCustomIntVariable(name, what, nullptr, value, *value, 1, most, PGC_SUSET, 0, nullptr,
                            nullptr, nullptr);
}

} // namespace

void define_request_settings() {
    define("tenancy.request_id", "Id of the request, for the audit log.", &request_id);
    define("tenancy.traceparent", "W3C traceparent of the request.", &traceparent);
    define("tenancy.model", "Model that the server will run for the request.", &model);
    define("tenancy.fallback_models", "JSON array of the models that it may run instead.",
           &fallback_models, check_text<kMaxListBytes>);
    define("tenancy.instance_id", "Server instance that carries the request.", &instance_id);
    // What a turn that names no limit may produce: it bounds what is held for it. Too small cuts
    // long answers off, too large holds money that is not needed.
    define_number("tenancy.max_output_tokens", "Output tokens of a turn that asks for no number.",
                  &max_output_tokens, 10'000'000);
    // A backstop for turns whose server is neither there nor known to be gone.
    define_number("tenancy.turn_deadline", "Seconds until the hold of an open turn is resolved.",
                  &turn_deadline, 30 * 24 * 3600);
}

} // namespace tenancy::pg
