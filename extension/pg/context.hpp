// The tenant context: which tenant the current transaction acts for, and the proof of it.
#pragma once

#include "pg/postgres.hpp"

#include "core/code.hpp"
#include "pg/verdict.hpp"

namespace tenancy::pg {

// Verdict on the token of the current transaction, verified now if it was not yet. nullptr when
// there is no live token. A token that is there but not good raises PT401 or PT403 and kills every
// token assigned before it, whether or not the error is caught. May ereport().
const Verdict *context_verify();

// As context_verify(), but raises 42501 instead of returning nullptr.
const Verdict *context_require();

// Whether this transaction has had a tenant, also when it has none any more.
bool context_is_pinned();

// SET LOCAL tenancy.token and verify, in one step that cannot half happen: from its start until its
// success no earlier token is live, whatever error ends it. nullptr is refused with why_missing.
const Verdict *context_replace(const char *token, core::Code why_missing);

} // namespace tenancy::pg
