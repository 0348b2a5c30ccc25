-- windows.sql: "claim|exceptions" per line, for windows in time zones that change their clocks in odd
-- ways. Every instant lies in its window, and windows neither overlap nor leave a gap.
-- Looked at are the half hours around each change of a clock, and one instant of every other day.
CREATE TEMP TABLE instants AS
WITH zones (name) AS (
    SELECT unnest('{UTC,Europe/Berlin,America/New_York,America/Santiago,Asia/Kathmandu,Africa/Cairo,
                    Asia/Beirut,Atlantic/Azores,America/Havana,Australia/Lord_Howe}'::text[])
), days AS (
    SELECT z.name, d.day, (d.day AT TIME ZONE z.name) - (d.day AT TIME ZONE 'UTC')
        <> ((d.day + '1 day') AT TIME ZONE z.name) - ((d.day + '1 day') AT TIME ZONE 'UTC') AS changes
    FROM zones z, generate_series('2026-01-01 07:00+00'::timestamptz, '2026-12-31 07:00+00', '1 day') AS d (day)
), picked AS (
    SELECT name, day AS at FROM days WHERE NOT changes
    UNION
    SELECT name, i.at FROM days, generate_series(day - interval '10 hours', day + interval '30 hours', '30 minutes') AS i (at)
    WHERE changes
)
SELECT k.name, p.period, k.at, tenancy.window_start(p.period, k.at, k.name) AS since,
       tenancy.window_end(p.period, k.at, k.name) AS until
FROM picked k, unnest('{hour,day,month}'::text[]) AS p (period);

SELECT format('each instant of 2026 lies in its own %s, in ten time zones', period),
       string_agg(DISTINCT name, ', ') FILTER (WHERE at < since OR at >= until)
FROM instants GROUP BY period ORDER BY 1;

SELECT format('each %s of 2026 ends where the next begins, in ten time zones', period),
       string_agg(DISTINCT name, ', ') FILTER (WHERE tenancy.window_start(period, until, name) <> until
           OR tenancy.window_start(period, until - interval '1 microsecond', name) <> since)
FROM (SELECT DISTINCT name, period, since, until FROM instants) w
GROUP BY period ORDER BY 1;

SELECT claim, CASE WHEN NOT truth THEN 'it does not' END FROM (VALUES
    ('the day on which Berlin skips an hour has 23 hours',
        tenancy.window_end('day', '2026-03-29 12:00+02', 'Europe/Berlin') - tenancy.window_start('day', '2026-03-29 12:00+02', 'Europe/Berlin') = '23:00'),
    ('the day on which Berlin repeats an hour has 25 hours',
        tenancy.window_end('day', '2026-10-25 12:00+01', 'Europe/Berlin') - tenancy.window_start('day', '2026-10-25 12:00+01', 'Europe/Berlin') = '25:00'),
    ('February of a leap year has 29 days', tenancy.window_end('month', '2028-02-29 23:59:59+00', 'UTC') = '2028-03-01 00:00+00'),
    ('the last instant of January is not in February', tenancy.window_start('month', '2026-01-31 23:59:59.999999+00', 'UTC') = '2026-01-01 00:00+00'),
    ('a month begins at local midnight', tenancy.window_start('month', '2026-06-30 22:00+00', 'Europe/Berlin') = '2026-07-01 00:00+02'),
    ('a total has no end', tenancy.window_end('total', now(), 'UTC') = 'infinity')) v (claim, truth);
