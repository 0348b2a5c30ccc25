#include "pg/postgres.hpp"

#include "pg/crypto.hpp"

#include "pg/boundary.hpp"

#include <memory>
#include <string>

namespace tenancy::pg {

namespace {

enum Fips { fips_off, fips_required };

constexpr config_enum_entry kFips[] = {
    {"off", fips_off, false}, {"required", fips_required, false}, {nullptr, 0, false}};

// Behind one pointer and never destroyed: OpenSSL may be gone before we are.
struct Machine {
    std::unique_ptr<core::Crypto> crypto;
    std::string problem; // "" when there is a crypto
};

int fips = fips_off;
char *fips_config = nullptr;
Machine *machine = nullptr;

core::Result<bool> load() {
    machine = new Machine;
    auto crypto = core::Crypto::create(
        {.require_fips = fips == fips_required, .config_file = fips_config}, &machine->problem);
    if (!crypto)
        return crypto.error();
    machine->crypto = std::move(*crypto);
    return true;
}

void define_settings() {
    // Only at start: the provider is loaded once, and a verdict never outlives its policy.
    DefineCustomEnumVariable(
        "tenancy.fips", "Whether a FIPS provider of OpenSSL must check tokens and keys.",
        "off: OpenSSL's default provider. required: a FIPS provider, or every token is refused.",
        &fips, fips_off, kFips, PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
    DefineCustomStringVariable(
        "tenancy.fips_config", "OpenSSL configuration file that activates the FIPS provider.",
        "Empty: the configuration of the OpenSSL library itself.", &fips_config, "", PGC_POSTMASTER,
        GUC_SUPERUSER_ONLY, nullptr, nullptr, nullptr);
}

const char *problem() {
    return machine == nullptr || machine->problem.empty() ? "Memory ran out."
                                                          : machine->problem.c_str();
}

// nullptr when the provider runs; the default one is always said to.
const char *problem_now(const core::ProviderStatus &status) {
    if (server_crypto() == nullptr)
        return problem();
    return status.is_running ? nullptr : "A self-test of the provider has failed in this session.";
}

const char *self_test_of(const core::ProviderStatus &status) {
    if (server_crypto() == nullptr || !server_crypto()->requires_fips())
        return nullptr;
    return status.is_running ? "passed" : "failed";
}

} // namespace

void crypto_initialize() {
    define_settings();
    const auto outcome = boundary::run(load);
    if (outcome.ok)
        return;
    ereport(WARNING,
            (errcode(ERRCODE_CONFIG_FILE_ERROR),
             errmsg("every token will be refused: OpenSSL's %s provider is not available",
                    fips == fips_required ? "FIPS" : "default"),
             errdetail("%s", problem()),
             fips == fips_required
                 ? errhint("Install the module with \"openssl fipsinstall\", let the file in "
                           "tenancy.fips_config activate it, and restart the server.")
                 : errhint("Repair the installation of OpenSSL and restart the server.")));
}

const core::Crypto *server_crypto() {
    return machine == nullptr ? nullptr : machine->crypto.get();
}

core::Code crypto_trouble() {
    if (server_crypto() != nullptr)
        return core::Code::ok;
    return fips == fips_required ? core::Code::fips_unavailable : core::Code::crypto_unavailable;
}

} // namespace tenancy::pg

using namespace tenancy;     // NOLINT: SQL entry points live outside any namespace
using namespace tenancy::pg; // NOLINT

extern "C" {

PG_FUNCTION_INFO_V1(pgt_crypto_status);

Datum pgt_crypto_status(PG_FUNCTION_ARGS) {
    TupleDesc desc = nullptr;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("crypto_status() must return a row"),
                        errhint("Install the extension's own declaration of it.")));
    core::ProviderStatus status{};
    if (server_crypto() != nullptr)
        status = server_crypto()->provider_status();
    const char *why = problem_now(status);
    const char *texts[] = {fips == fips_required ? "required" : "off",
                           OpenSSL_version(OPENSSL_VERSION),
                           status.name,
                           status.title,
                           status.version,
                           status.build_info,
                           self_test_of(status),
                           why};
    constexpr std::size_t kTexts = lengthof(texts);
    Datum values[kTexts + 1] = {};
    bool nulls[kTexts + 1] = {};
    for (std::size_t i = 0; i < kTexts; i++) {
        nulls[i] = texts[i] == nullptr;
        values[i] = nulls[i] ? Datum{0} : CStringGetTextDatum(texts[i]);
    }
    values[kTexts] = BoolGetDatum(why == nullptr);
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
}
