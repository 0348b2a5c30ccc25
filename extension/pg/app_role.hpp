// Who is at work: an application, or someone whom the guards leave alone.
#pragma once

#include "pg/postgres.hpp"

namespace tenancy::pg {

// Whether an application runs the present statement: its role is the current or the session's user.
// A SECURITY DEFINER function runs as its owner only: what an administrator wrote is his.
bool application_runs_this();

// Whether an application has caused the present statement, also through a SECURITY DEFINER
// function, unless that runs as somebody whom row-level security does not concern.
bool application_caused_this();

// Whether an application's role is the current or the session's user, whatever runs: what goes to
// the client goes to the application.
bool application_is_client();

} // namespace tenancy::pg
