#include "pg/postgres.hpp"

#include "pg/request.hpp"

#include <cstring>

namespace tenancy::pg {

namespace {

constexpr std::size_t kMaxBytes = 256;
constexpr std::size_t kMaxListBytes = 2048;

// What a server says of a request.
enum Part { request_id, traceparent, model, fallback_models, instance_id, part_count };

struct Value {
    char *text;
    const LocalTransactionId *given_in; // null: since the session's start
};

Value values[part_count];

int max_output_tokens = 4096;
int turn_deadline = 3600;

// Bounded and printable: these values end up in audit rows and logs.
bool is_bounded_and_printable(const char *text, std::size_t most) {
    const std::size_t length = text == nullptr ? 0 : std::strlen(text);
    if (length > most) {
        GUC_check_errdetail("The value is longer than %zu bytes.", most);
        return false;
    }
    for (std::size_t i = 0; i < length; i++)
        if (text[i] < ' ' || text[i] > '~') {
            GUC_check_errdetail("The value holds something else than printable ASCII.");
            return false;
        }
    return true;
}

// A value that SQL has set is stamped with its transaction, as tenancy.token is: left behind in a
// pooled session it would price or sign the next tenant's turn.
template <std::size_t kMost>
bool check_text(char **newval, void **extra, GucSource source) {
    if (!is_bounded_and_printable(*newval, kMost))
        return false;
    if (source != PGC_S_SESSION)
        return true;
    auto *given_in = static_cast<LocalTransactionId *>(setting_alloc(sizeof(LocalTransactionId)));
    if (given_in == nullptr) {
        GUC_check_errmsg("out of memory");
        return false;
    }
    *given_in = current_lxid();
    *extra = given_in;
    return true;
}

template <Part kPart>
void assign_text(const char * /*newval*/, void *extra) {
    values[kPart].given_in = static_cast<const LocalTransactionId *>(extra);
}

// What current_setting() gives: nothing in another transaction.
template <Part kPart>
const char *show_text() {
    const Value &value = values[kPart];
    const bool counts = value.given_in == nullptr || *value.given_in == current_lxid();
    return counts && value.text != nullptr ? value.text : "";
}

template <Part kPart, std::size_t kMost = kMaxBytes>
void define(const char *name, const char *what) {
    DefineCustomStringVariable(name, what, nullptr, &values[kPart].text, "", PGC_USERSET,
                               GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE, check_text<kMost>,
                               assign_text<kPart>, show_text<kPart>);
}

void define_number(const char *name, const char *what, int *value, int most) {
    DefineCustomIntVariable(name, what, nullptr, value, *value, 1, most, PGC_SUSET, 0, nullptr,
                            nullptr, nullptr);
}

} // namespace

void define_request_settings() {
    define<request_id>("tenancy.request_id", "Id of the request, for the audit log.");
    define<traceparent>("tenancy.traceparent", "W3C traceparent of the request.");
    define<model>("tenancy.model", "Model that the server will run for the request.");
    define<fallback_models, kMaxListBytes>("tenancy.fallback_models",
                                           "JSON array of the models that it may run instead.");
    define<instance_id>("tenancy.instance_id", "Server instance that carries the request.");
    // What a turn that names no limit may produce: it bounds what is held for it. Too small cuts
    // long answers off, too large holds money that is not needed.
    define_number("tenancy.max_output_tokens", "Output tokens of a turn that asks for no number.",
                  &max_output_tokens, 10'000'000);
    // A backstop for turns whose server is neither there nor known to be gone.
    define_number("tenancy.turn_deadline", "Seconds until the hold of an open turn is resolved.",
                  &turn_deadline, 30 * 24 * 3600);
}

} // namespace tenancy::pg
