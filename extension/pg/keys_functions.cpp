// SQL functions behind the registry of issuers and keys: sql/install/20-registry.sql declares them.
#include "pg/postgres.hpp"

#include "core/claim_path.hpp"
#include "core/jwks.hpp"
#include "pg/boundary.hpp"
#include "pg/crypto.hpp"
#include "pg/errors.hpp"

#include <cstring>
#include <string>

namespace tenancy::pg {

namespace {

constexpr int kColumns = 5; // kid, thumbprint, algorithm, public_jwk, skipped
constexpr std::size_t kTicketBytes = 32;
constexpr std::size_t kIdBytes = 8;

// One key of a set as five C strings, nullptr = NULL. Plain data, in the caller's memory context.
struct KeyLine {
    char *columns[kColumns];
};

struct KeyLines {
    KeyLine *lines;
    int count;
};

char *copied(const std::string &text) {
    auto *copy = static_cast<char *>(palloc_extended(text.size() + 1, MCXT_ALLOC_NO_OOM));
    if (copy == nullptr)
        throw std::bad_alloc();
    std::memcpy(copy, text.c_str(), text.size() + 1);
    return copy;
}

core::Result<KeyLines> read_jwks(const char *json) {
    if (server_crypto() == nullptr)
        return crypto_trouble();
    const auto jwks = core::parse_jwks(*server_crypto(), json);
    if (!jwks)
        return jwks.error();
    const std::size_t count = jwks->keys.size() + jwks->skipped.size();
    auto *lines = static_cast<KeyLine *>(
        palloc_extended(sizeof(KeyLine) * (count + 1), MCXT_ALLOC_NO_OOM | MCXT_ALLOC_ZERO));
    if (lines == nullptr)
        return core::Code::out_of_memory;
    KeyLine *line = lines;
    for (const core::Jwk &key : jwks->keys)
        *line++ = {{copied(key.kid), copied(key.thumbprint),
                    copied(core::algorithm_name(key.algorithm)), copied(key.canonical), nullptr}};
    for (const core::SkippedKey &key : jwks->skipped)
        *line++ = {{copied(key.kid), nullptr, nullptr, nullptr, copied(core::code_name(key.why))}};
    return KeyLines{lines, static_cast<int>(count)};
}

core::Result<bool> read_claim_path(const char *path) {
    const auto parsed = core::ClaimPath::parse(path);
    if (!parsed)
        return parsed.error();
    return true;
}

void put_line(const ReturnSetInfo *result, const KeyLine &line) {
    Datum values[kColumns] = {};
    bool nulls[kColumns] = {};
    for (int i = 0; i < kColumns; i++) {
        nulls[i] = line.columns[i] == nullptr;
        if (!nulls[i])
            values[i] = CStringGetTextDatum(line.columns[i]);
    }
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

// Writes 2 * bytes digits and the end of the string.
void random_hex(char *to, std::size_t bytes) {
    unsigned char random[kTicketBytes];
    Assert(bytes <= sizeof random);
    if (!pg_strong_random(random, bytes))
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("no random bytes available"),
                        errhint("Check the system's random number generator.")));
    hex_encode(reinterpret_cast<const char *>(random), bytes, to);
    to[bytes * 2] = '\0';
}

} // namespace

} // namespace tenancy::pg

using namespace tenancy;     // NOLINT: SQL entry points live outside any namespace
using namespace tenancy::pg; // NOLINT

extern "C" {

PG_FUNCTION_INFO_V1(pgt_parse_jwks);
PG_FUNCTION_INFO_V1(pgt_check_claim_path);
PG_FUNCTION_INFO_V1(pgt_registry_changed);
PG_FUNCTION_INFO_V1(pgt_random_ticket);
PG_FUNCTION_INFO_V1(pgt_new_id);

Datum pgt_parse_jwks(PG_FUNCTION_ARGS) {
    InitMaterializedSRF(fcinfo, 0);
    if (toast_raw_datum_size(PG_GETARG_DATUM(0)) > core::kMaxJwksBytes + VARHDRSZ)
        raise_bad_jwks(core::Code::jwks_too_large);
    const char *json = text_to_cstring(PG_GETARG_TEXT_PP(0));
    const auto outcome = boundary::run([&] { return read_jwks(json); });
    if (!outcome.ok)
        raise_bad_jwks(outcome.code);
    const auto *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    for (int i = 0; i < outcome.value.count; i++)
        put_line(result, outcome.value.lines[i]);
    PG_RETURN_VOID();
}

Datum pgt_check_claim_path(PG_FUNCTION_ARGS) {
    const char *path = text_to_cstring(PG_GETARG_TEXT_PP(0));
    const auto outcome = boundary::run([&] { return read_claim_path(path); });
    PG_RETURN_BOOL(outcome.ok);
}

// Statement trigger on the registry tables: every backend drops its copy at its next statement. The
// message is part of the commit record, so standbys obey it as well.
Datum pgt_registry_changed(PG_FUNCTION_ARGS) {
    if (!CALLED_AS_TRIGGER(fcinfo))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("registry_changed() can only be called as a trigger"),
                        errhint("It belongs to the tables of schema tenancy.")));
    CacheInvalidateRelcache(reinterpret_cast<TriggerData *>(fcinfo->context)->tg_relation);
    return PointerGetDatum(nullptr);
}

Datum pgt_random_ticket(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    char hex[kTicketBytes * 2 + 1];
    random_hex(hex, kTicketBytes);
    PG_RETURN_TEXT_P(cstring_to_text(hex));
}

// agent.new_id(prefix)
Datum pgt_new_id(PG_FUNCTION_ARGS) {
    char hex[kIdBytes * 2 + 1];
    random_hex(hex, kIdBytes);
    PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s%s", text_to_cstring(PG_GETARG_TEXT_PP(0)), hex)));
}
}
