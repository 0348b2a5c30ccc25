// The SQL functions on the tenant context: sql/install/30-context.sql declares them.
#include "pg/postgres.hpp"

#include "pg/context.hpp"

#include "core/verify.hpp"
#include "pg/boundary.hpp"
#include "pg/errors.hpp"
#include "pg/token.hpp"

#include <cstring>
#include <string>

namespace tenancy::pg {

namespace {

// Result of current_tenant(): the same bytes for the whole transaction, so nothing is allocated per
// statement. Aligned as a varlena.
union TenantText {
    int32 align;
    char bytes[VARHDRSZ + kMaxTenantBytes + 1];
};

TenantText tenant_text{};

Datum text_of(const Verdict &verdict) {
    const std::size_t length = std::strlen(verdict.tenant_id);
    std::memcpy(tenant_text.bytes + VARHDRSZ, verdict.tenant_id, length);
    SET_VARSIZE(tenant_text.bytes, length + VARHDRSZ);
    return PointerGetDatum(tenant_text.bytes);
}

struct PayloadCopy {
    char *json;
};

core::Result<PayloadCopy> copy_payload(const char *token) {
    const auto payload = core::payload_json(token);
    if (!payload)
        return payload.error();
    auto *copy = static_cast<char *>(palloc_extended(payload->size() + 1, MCXT_ALLOC_NO_OOM));
    if (copy == nullptr)
        return core::Code::out_of_memory;
    std::memcpy(copy, payload->c_str(), payload->size() + 1);
    return PayloadCopy{copy};
}

} // namespace

} // namespace tenancy::pg

using namespace tenancy;     // NOLINT: SQL entry points live outside any namespace
using namespace tenancy::pg; // NOLINT

extern "C" {

PG_FUNCTION_INFO_V1(pgt_set_tenant_from_jwt);
PG_FUNCTION_INFO_V1(pgt_current_tenant);
PG_FUNCTION_INFO_V1(pgt_current_tenant_or_null);
PG_FUNCTION_INFO_V1(pgt_current_subject);
PG_FUNCTION_INFO_V1(pgt_current_issuer);
PG_FUNCTION_INFO_V1(pgt_current_claims);
PG_FUNCTION_INFO_V1(pgt_clear_tenant);
PG_FUNCTION_INFO_V1(pgt_transaction_had_tenant);
PG_FUNCTION_INFO_V1(pgt_is_text);

Datum pgt_set_tenant_from_jwt(PG_FUNCTION_ARGS) {
    hide_statement();
    const char *token = nullptr;
    // An oversized argument is refused before it is detoasted; the core refuses an empty one.
    if (!PG_ARGISNULL(0) &&
        toast_raw_datum_size(PG_GETARG_DATUM(0)) <= core::kMaxTokenBytes + VARHDRSZ)
        token = text_to_cstring(PG_GETARG_TEXT_PP(0));
    PG_RETURN_DATUM(text_of(*context_replace(
        token, PG_ARGISNULL(0) ? core::Code::token_missing : core::Code::token_too_large)));
}

Datum pgt_current_tenant(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    PG_RETURN_DATUM(text_of(*context_require()));
}

Datum pgt_current_tenant_or_null(PG_FUNCTION_ARGS) {
    const Verdict *verdict = context_verify();
    if (verdict == nullptr)
        PG_RETURN_NULL();
    PG_RETURN_DATUM(text_of(*verdict));
}

Datum pgt_current_subject(PG_FUNCTION_ARGS) {
    const Verdict *verdict = context_verify();
    if (verdict == nullptr || *verdict->proof.subject == '\0')
        PG_RETURN_NULL();
    PG_RETURN_TEXT_P(cstring_to_text(verdict->proof.subject));
}

Datum pgt_current_issuer(PG_FUNCTION_ARGS) {
    const Verdict *verdict = context_verify();
    if (verdict == nullptr)
        PG_RETURN_NULL();
    PG_RETURN_TEXT_P(cstring_to_text(verdict->issuer));
}

Datum pgt_current_claims(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    context_require();
    const char *token = token_setting().token;
    const auto outcome = boundary::run([&] { return copy_payload(token); });
    if (!outcome.ok)
        raise_refusal(outcome.code);
    PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(outcome.value.json)));
}

Datum pgt_clear_tenant(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    assign_token_locally("");
    PG_RETURN_VOID();
}

Datum pgt_transaction_had_tenant(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    PG_RETURN_BOOL(context_is_pinned());
}

// Values of settings reach columns unchecked; one that is not in the database's encoding could be
// stored, and then never restored from a dump.
Datum pgt_is_text(PG_FUNCTION_ARGS) {
    const text *value = PG_GETARG_TEXT_PP(0);
    PG_RETURN_BOOL(
        pg_verifymbstr(VARDATA_ANY(value), static_cast<int>(VARSIZE_ANY_EXHDR(value)), true));
}
}
