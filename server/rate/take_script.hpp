// The decision, as Valkey runs it: one script, all flows of a request or none.
#pragma once

namespace tenancy::server::rate {

// The GCRA in its other form, the continuous-state leaky bucket as a meter (ITU-T I.371, annex A):
// a level that falls by `rate` a minute and must not rise above `burst`. Unlike an arrival time the
// level needs no division, so nothing is rounded: it counts in units * milliseconds of a minute, at
// most 6e10 * 6e4 = 3.6e15, and a time of the day has 13 digits; Lua's numbers are exact up to
// 9e15.
//
// Only Valkey's own clock counts. When it steps back the level stays until time goes on; when it
// steps forward a whole burst is there at the most. A flow that is empty again has no key.
//
// A negative cost gives back, down to an empty level, and is never refused.
inline constexpr const char *kTakeScript = R"lua(
local UNIT = 60000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local flows, all_fit = {}, true
for i, key in ipairs(KEYS) do
    local rate, burst, cost = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
    local level, at = string.match(redis.call('GET', key) or '', '^(%d+) (%d+)$')
    level = math.min(tonumber(level or 0), burst * UNIT)
    local passed = math.max(now - tonumber(at or now), 0)
    level = math.max(level - math.min(passed, math.ceil(level / rate)) * rate, 0)
    local excess = level + cost * UNIT - burst * UNIT
    flows[i] = {key = key, rate = rate, burst = burst, cost = cost, level = level, excess = excess}
    all_fit = all_fit and excess <= 0
end
local answers = {}
for i, flow in ipairs(flows) do
    if all_fit then
        flow.level = math.max(flow.level + flow.cost * UNIT, 0)
    end
    local drained_in = math.ceil(flow.level / flow.rate)
    if flow.level > 0 then
        redis.call('SET', flow.key, string.format('%.0f %.0f', flow.level, now),
            'PX', string.format('%.0f', drained_in))
    else
        redis.call('DEL', flow.key)
    end
    local retry_after = math.ceil(math.max(flow.excess, 0) / flow.rate)
    if flow.cost > flow.burst then
        retry_after = -1
    end
    answers[i] = {flow.excess <= 0 and 1 or 0, flow.rate,
        math.floor((flow.burst * UNIT - flow.level) / UNIT), retry_after, drained_in}
end
return answers
)lua";

} // namespace tenancy::server::rate
