#include "pg/postgres.hpp"

#include "pg/errors.hpp"

#include "pg/refusal_log.hpp"
#include "pg/token_stats.hpp"

namespace tenancy::pg {

namespace {

// SQLSTATEs of the form PT<status> are PostgREST's convention for "answer with this HTTP status".
constexpr int kUnauthorized = MAKE_SQLSTATE('P', 'T', '4', '0', '1');
constexpr int kForbidden = MAKE_SQLSTATE('P', 'T', '4', '0', '3');
constexpr int kUnavailable = MAKE_SQLSTATE('P', 'T', '5', '0', '3');

// What the operator, who reads the log, can do; "" when that is clear from the reason.
const char *cure_of(core::Code why) {
    return why == core::Code::fips_unavailable || why == core::Code::crypto_unavailable
               ? " SELECT problem FROM tenancy.crypto_status() tells the cause."
               : "";
}

} // namespace

void raise_refusal(core::Code why) {
    if (why == core::Code::out_of_memory)
        ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
                        errdetail_log("While verifying a token."), errhidestmt(true),
                        errhidecontext(true)));
    token_stats_count_refusal(why);
    const bool is_forbidden = why == core::Code::tenant_suspended;
    const uint64 skipped = refusal_log_begin(__func__);
    if (is_forbidden)
        ereport(ERROR, (errcode(kForbidden), errmsg("tenant is suspended"),
                        errdetail("{\"code\": \"tenant_suspended\"}"),
                        errhint("An administrator lifts it with tenancy.resume_tenant()."),
                        errhidestmt(true), errhidecontext(true)));
    // One message for every other reason: a client must not learn which check it failed.
    ereport(ERROR, (errcode(kUnauthorized), errmsg("token rejected"),
                    errdetail("{\"code\": \"invalid_token\"}"),
                    errdetail_log("reason: %s (%s%s) [refusals not logged before: %llu]",
                                  core::code_name(why), core::code_text(why), cure_of(why),
                                  static_cast<unsigned long long>(skipped)),
                    errhint("Send a current access token of a registered tenant; the reason is in "
                            "the server log."),
                    errhidestmt(true), errhidecontext(true)));
    pg_unreachable();
}

void raise_bad_jwks(core::Code why) {
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("JSON Web Key Set is not usable"),
             errdetail("%s (%s)", core::code_text(why), core::code_name(why)),
             errhint("Nothing was changed; the issuer keeps the keys it had."), errhidestmt(true),
             errhidecontext(true)));
    pg_unreachable();
}

void raise_unavailable(const char *message, const char *hint) {
    ereport(ERROR, (errcode(kUnavailable), errmsg("%s", message),
                    errdetail("{\"code\": \"unavailable\"}"), errhint("%s", hint)));
    pg_unreachable();
}

} // namespace tenancy::pg
