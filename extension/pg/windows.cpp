#include "pg/postgres.hpp"

#include "pg/windows.hpp"

#include <cstring>

namespace tenancy::pg {

namespace {

TimestampTz instant_of(Timestamp local, Datum zone) {
    return DatumGetTimestampTz(DirectFunctionCall2(timestamp_zone, zone, TimestampGetDatum(local)));
}

Timestamp local_time(TimestampTz instant, Datum zone) {
    return DatumGetTimestamp(
        DirectFunctionCall2(timestamptz_zone, zone, TimestampTzGetDatum(instant)));
}

// When a local clock first shows a time. On the day it goes back a time can come twice; counting
// from the first one, each window begins where the one before ends.
TimestampTz first_instant(Timestamp local, Datum zone) {
    constexpr int steps_back_minutes[] = {120, 90, 60, 30, 20};
    const TimestampTz instant = instant_of(local, zone);
    for (const int minutes : steps_back_minutes) {
        const TimestampTz earlier = instant - minutes * USECS_PER_MINUTE;
        if (local_time(earlier, zone) == local)
            return earlier;
    }
    return instant;
}

Timestamp next_start(Timestamp start, bool is_month) {
    Interval step{};
    step.month = is_month ? 1 : 0;
    step.day = is_month ? 0 : 1;
    return DatumGetTimestamp(DirectFunctionCall2(timestamp_pl_interval, TimestampGetDatum(start),
                                                 IntervalPGetDatum(&step)));
}

Window hour_of(TimestampTz at) {
    TimestampTz since = at % USECS_PER_HOUR;
    if (since < 0)
        since += USECS_PER_HOUR;
    return {at - since, at - since + USECS_PER_HOUR};
}

} // namespace

Window window_of(const char *period, TimestampTz at, const char *time_zone) {
    const bool is_month = std::strcmp(period, "month") == 0;
    if (std::strcmp(period, "hour") != 0 && std::strcmp(period, "day") != 0 && !is_month)
        return {DT_NOBEGIN, DT_NOEND};
    if (TIMESTAMP_NOT_FINITE(at))
        return {at, at};
    if (std::strcmp(period, "hour") == 0)
        return hour_of(at);
    const Datum zone = CStringGetTextDatum(time_zone);
    const Timestamp start = DatumGetTimestamp(DirectFunctionCall2(
        timestamp_trunc, CStringGetTextDatum(period), TimestampGetDatum(local_time(at, zone))));
    return {first_instant(start, zone), first_instant(next_start(start, is_month), zone)};
}

} // namespace tenancy::pg

using namespace tenancy::pg; // NOLINT: SQL entry points live outside any namespace

extern "C" {

PG_FUNCTION_INFO_V1(pgt_window_start);
PG_FUNCTION_INFO_V1(pgt_window_end);

// (period, at, time_zone)
Datum pgt_window_start(PG_FUNCTION_ARGS) {
    PG_RETURN_TIMESTAMPTZ(window_of(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_TIMESTAMPTZ(1),
                                    text_to_cstring(PG_GETARG_TEXT_PP(2)))
                              .start);
}

Datum pgt_window_end(PG_FUNCTION_ARGS) {
    PG_RETURN_TIMESTAMPTZ(window_of(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_TIMESTAMPTZ(1),
                                    text_to_cstring(PG_GETARG_TEXT_PP(2)))
                              .end);
}
}
