// Windows of budgets: the hour, day or month that holds a time, or all time.
#pragma once

#include "pg/postgres.hpp"

namespace tenancy::pg {

struct Window {
    TimestampTz start, end; // end is exclusive
};

// Hours are those of UTC, always sixty minutes; days and months are those of the time zone, by
// PostgreSQL's own arithmetic. Any other period is all time. May ereport().
Window window_of(const char *period, TimestampTz at, const char *time_zone);

} // namespace tenancy::pg
