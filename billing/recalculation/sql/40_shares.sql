-- How much of a price each piece pays: parts of the periods that the price is for, by the contract's
-- convention, as numerator over denominator.

CREATE TEMPORARY TABLE recalc_span ON COMMIT DROP AS
WITH priced AS (
  SELECT p.piece_id, p.starts_on, p.ends_on, s.period_from, s.period_to, s.once, s.kind, s.every,
         s.paid_every, s.convention, s.zone, s.begins, s.months_from, s.days_from, s.counted_day
  FROM recalc_piece p JOIN recalc_slot s USING (slot_id)
), measured AS (
  -- Of the billing period: what amounts off and, of usage, bounds go by; and prices that are paid every such period.
  SELECT piece_id, false AS priced, starts_on AS a, ends_on AS b, period_from AS low, period_to AS high,
         convention, zone, begins, n.months, counted_day
  FROM priced JOIN recalc_length n USING (every)
  WHERE NOT once
  UNION ALL
  SELECT piece_id, true, greatest(starts_on, g.low), least(ends_on, g.high), g.low, g.high, convention, zone,
         begins, n.months, counted_day
  FROM priced r JOIN recalc_length n ON n.every = r.paid_every
  CROSS JOIN LATERAL (
    SELECT (months_from + make_interval(months => k * n.months))::date AS low,
           (months_from + make_interval(months => (k + 1) * n.months))::date AS high
    FROM generate_series(
      floor((12 * (extract(year FROM starts_on) - extract(year FROM months_from))
            + extract(month FROM starts_on) - extract(month FROM months_from)) / nullif(n.months, 0))::int - 1,
      floor((12 * (extract(year FROM ends_on) - extract(year FROM months_from))
            + extract(month FROM ends_on) - extract(month FROM months_from)) / nullif(n.months, 0))::int) AS k
    WHERE n.months > 0
    UNION ALL
    SELECT days_from + k * n.days, days_from + (k + 1) * n.days
    FROM generate_series(floor((starts_on - days_from)::numeric / nullif(n.days, 0))::int,
                         floor((ends_on - days_from)::numeric / nullif(n.days, 0))::int) AS k
    WHERE n.days > 0
  ) g
  WHERE NOT once AND r.paid_every <> r.every AND g.high > starts_on AND g.low < ends_on
  UNION ALL
  SELECT slot_id, false, service_from, service_to, low, high, convention, zone, starts_on, months, 'first'
  FROM recalc_promise
), moved AS (
  -- Where the last day of a part is paid for and not the first, limits inside of the period are a day later.
  SELECT piece_id, priced, low, high, convention, zone, begins, months, (a, b) = (low, high) AS whole,
         CASE WHEN counted_day = 'last' AND convention NOT IN ('whole_months', 'none') AND a > low AND a < high
              THEN a + 1 ELSE a END AS a,
         CASE WHEN counted_day = 'last' AND convention NOT IN ('whole_months', 'none') AND b > low AND b < high
              THEN b + 1 ELSE b END AS b
  FROM measured
), dated AS (
  SELECT *,
         360 * extract(year FROM a)::int + 30 * extract(month FROM a)::int + least(extract(day FROM a)::int, 30)
           AS a30,
         360 * extract(year FROM b)::int + 30 * extract(month FROM b)::int + least(extract(day FROM b)::int, 30)
           AS b30,
         360 * extract(year FROM low)::int + 30 * extract(month FROM low)::int
           + least(extract(day FROM low)::int, 30) AS low30,
         360 * extract(year FROM high)::int + 30 * extract(month FROM high)::int
           + least(extract(day FROM high)::int, 30) AS high30,
         360 * extract(year FROM low)::int + 30 * extract(month FROM low)::int
           + CASE WHEN extract(month FROM low + 1) <> extract(month FROM low) AND extract(month FROM low) = 2
                  THEN 30 ELSE least(extract(day FROM low)::int, 30) END AS base
  FROM moved
)
SELECT d.piece_id, d.priced, d.a, d.b, d.low, d.high,
       CASE WHEN d.whole THEN 1 ELSE c.num END::numeric AS num,
       CASE WHEN d.whole THEN 1 ELSE c.den END::numeric AS den
FROM dated d CROSS JOIN LATERAL (
  SELECT d.b - d.a AS num, d.high - d.low AS den WHERE d.convention = 'actual_days'
  UNION ALL
  SELECT d.b30 - d.a30, d.high30 - d.low30 WHERE d.convention = 'fixed_30'
  UNION ALL
  SELECT x.upto_b - x.upto_a, x.whole FROM (
    SELECT sum(v.days) FILTER (WHERE v.which = 'a') AS upto_a, sum(v.days) FILTER (WHERE v.which = 'b') AS upto_b,
           sum(v.days) FILTER (WHERE v.which = 'high') AS whole
    FROM (
      SELECT t.which, 360 * extract(year FROM t.day)::int + 30 * extract(month FROM t.day)::int
             + CASE
                 WHEN extract(month FROM t.day) = 2 AND extract(month FROM t.day + 1) = 3
                      AND extract(month FROM d.low) = 2 AND extract(month FROM d.low + 1) = 3 THEN 30
                 WHEN extract(day FROM t.day) = 31 AND d.base % 30 = 0 THEN 30
                 ELSE extract(day FROM t.day)::int END
             - d.base AS days
      FROM (VALUES ('a', d.a), ('b', d.b), ('high', d.high)) AS t(which, day)
    ) v
  ) x WHERE d.convention = 'thirty_360'
  UNION ALL
  SELECT extract(epoch FROM e.at_b - e.at_a)::bigint, extract(epoch FROM e.at_high - e.at_low)::bigint
  FROM (
    -- A midnight that happens twice is the first one.
    SELECT max(m.at) FILTER (WHERE m.which = 'a') AS at_a, max(m.at) FILTER (WHERE m.which = 'b') AS at_b,
           max(m.at) FILTER (WHERE m.which = 'low') AS at_low, max(m.at) FILTER (WHERE m.which = 'high') AS at_high
    FROM (
      SELECT t.which, CASE WHEN ((t.at - interval '1 hour') AT TIME ZONE d.zone)::date = t.day
                           THEN t.at - interval '1 hour' ELSE t.at END AS at
      FROM (SELECT v.which, v.day, v.day::timestamp AT TIME ZONE d.zone AS at
            FROM (VALUES ('a', d.a), ('b', d.b), ('low', d.low), ('high', d.high)) AS v(which, day)) t
    ) m
  ) e WHERE d.convention = 'seconds'
  UNION ALL
  SELECT count(*) FILTER (WHERE h.ends_on > d.begins AND greatest(h.starts_on, d.begins) >= d.a
                          AND greatest(h.starts_on, d.begins) < d.b), count(*)
  FROM (
    SELECT (d.low + make_interval(months => i))::date AS starts_on,
           CASE WHEN i = w.parts - 1 THEN d.high ELSE (d.low + make_interval(months => i + 1))::date END AS ends_on
    FROM (SELECT CASE WHEN d.convention = 'whole_months' AND d.months > 0 THEN d.months ELSE 1 END AS parts) w,
         generate_series(0, w.parts - 1) AS i
  ) h HAVING d.convention IN ('whole_months', 'none')
) c;

-- `share` of the price, and `of_period`: of the billing period.
CREATE TEMPORARY TABLE recalc_share ON COMMIT DROP AS
SELECT p.piece_id,
       CASE WHEN s.once THEN 1 WHEN s.paid_every <> s.every THEN coalesce(n.of_price, 0)
            ELSE coalesce(n.of_period, 0) END AS share,
       CASE WHEN s.once THEN 1 ELSE coalesce(n.of_period, 0) END AS of_period
FROM recalc_piece p JOIN recalc_slot s USING (slot_id)
LEFT JOIN (
  SELECT piece_id, sum(part) FILTER (WHERE priced) AS of_price, sum(part) FILTER (WHERE NOT priced) AS of_period
  FROM (SELECT piece_id, priced, CASE WHEN num = den THEN 1 ELSE round(num, 200) / den END AS part FROM recalc_span) d
  GROUP BY piece_id
) n ON n.piece_id = p.piece_id;

ANALYZE recalc_share
