-- How much: single events, straight from where they were stored, by piece and dimensions. The day of an
-- event is its calendar day in the contract's time zone.

CREATE TEMPORARY TABLE recalc_event ON COMMIT DROP AS
WITH metered AS (
  SELECT p.slot_id, p.step_no, p.line_id, p.starts_on, p.ends_on, s.zone, s.aggregation
  FROM recalc_piece p JOIN recalc_slot s USING (slot_id) WHERE s.kind = 'usage'
), around AS (
  SELECT CASE WHEN bool_or(aggregation = 'weighted') THEN '-infinity'::timestamptz
              ELSE min(starts_on)::timestamptz - interval '2 days' END AS since,
         max(ends_on)::timestamptz + interval '2 days' AS until
  FROM metered
), lines AS (
  SELECT DISTINCT m.line_id, m.zone, n.filters FROM metered m JOIN recalc_line n USING (line_id)
)
SELECT e.line_id, (e.occurred_at AT TIME ZONE l.zone)::date AS day, e.occurred_at, e.dimensions_id, e.quantity,
       e.subject
FROM around a CROSS JOIN lines l
JOIN billing_usageevent e ON e.line_id = l.line_id AND e.occurred_at >= a.since AND e.occurred_at < a.until
WHERE NOT EXISTS (SELECT 1 FROM billing_usageretraction r WHERE r.event_id = e.id)
  -- What the meter's filters leave out: a property with none of the values asked for, or without the property.
  AND (l.filters = '{}' OR NOT EXISTS (
    SELECT 1 FROM billing_usagedimensions d CROSS JOIN jsonb_each(l.filters) AS f(name, asked)
    WHERE d.id = e.dimensions_id AND NOT f.asked @> coalesce(d.values->f.name, 'null')));

ANALYZE recalc_event;

CREATE TEMPORARY TABLE recalc_measure ON COMMIT DROP AS
SELECT p.slot_id, p.step_no, e.dimensions_id,
       CASE min(s.aggregation) WHEN 'count' THEN count(*)::numeric WHEN 'max' THEN max(e.quantity)
         ELSE sum(e.quantity) END AS quantity, count(*) AS events
FROM recalc_piece p JOIN recalc_slot s USING (slot_id)
JOIN recalc_event e ON e.line_id = p.line_id AND e.day >= p.starts_on AND e.day < p.ends_on
WHERE s.aggregation IN ('sum', 'count', 'max')
GROUP BY p.slot_id, p.step_no, e.dimensions_id
UNION ALL
SELECT p.slot_id, p.step_no, e.dimensions_id, count(DISTINCT e.subject), count(*)
FROM recalc_piece p JOIN recalc_slot s USING (slot_id)
JOIN recalc_event e ON e.line_id = p.line_id AND e.day >= p.starts_on AND e.day < p.ends_on
WHERE s.aggregation = 'unique'
GROUP BY p.slot_id, p.step_no, e.dimensions_id
UNION ALL
SELECT p.slot_id, p.step_no, e.dimensions_id,
       (array_agg(e.quantity ORDER BY e.occurred_at DESC, e.quantity DESC))[1], count(*)
FROM recalc_piece p JOIN recalc_slot s USING (slot_id)
JOIN recalc_event e ON e.line_id = p.line_id AND e.day >= p.starts_on AND e.day < p.ends_on
WHERE s.aggregation = 'latest'
GROUP BY p.slot_id, p.step_no, e.dimensions_id;

-- A level that holds until it changes: events are increments, and each one counts for what is left of the
-- piece. The level that the piece begins with counts for all of it.
CREATE TEMPORARY TABLE recalc_level ON COMMIT DROP AS
WITH bounds AS (
  SELECT p.slot_id, p.step_no, p.line_id, p.starts_on, p.ends_on, t.begins, t.ends
  FROM recalc_piece p JOIN recalc_slot s USING (slot_id) CROSS JOIN LATERAL (
    SELECT max(m.at) FILTER (WHERE m.n = 1) AS begins, max(m.at) FILTER (WHERE m.n = 2) AS ends FROM (
      SELECT v.n, CASE WHEN ((v.at - interval '1 hour') AT TIME ZONE s.zone)::date = v.day
                       THEN v.at - interval '1 hour' ELSE v.at END AS at
      FROM (VALUES (1, p.starts_on, p.starts_on::timestamp AT TIME ZONE s.zone),
                   (2, p.ends_on, p.ends_on::timestamp AT TIME ZONE s.zone)) AS v(n, day, at)
    ) m
  ) t
  WHERE s.kind = 'usage' AND s.aggregation = 'weighted'
), changes AS (
  SELECT b.slot_id, b.step_no, e.dimensions_id, b.begins, b.ends,
         greatest(CASE WHEN e.day < b.starts_on THEN b.begins ELSE e.occurred_at END, b.begins) AS since,
         e.quantity, (e.day >= b.starts_on)::int AS inside
  FROM bounds b JOIN recalc_event e ON e.line_id = b.line_id AND e.day < b.ends_on
), stepped AS (
  SELECT slot_id, step_no, dimensions_id, begins, ends, since, sum(quantity) AS quantity, sum(inside) AS events
  FROM changes GROUP BY slot_id, step_no, dimensions_id, begins, ends, since
)
SELECT slot_id, step_no, dimensions_id,
       sum(quantity) OVER w AS level, events,
       (extract(epoch FROM coalesce(lead(since) OVER w, ends) - since) * 1000000)::numeric(40, 0) AS lasts,
       (extract(epoch FROM ends - begins) * 1000000)::numeric(40, 0) AS whole
FROM stepped WINDOW w AS (PARTITION BY slot_id, step_no, dimensions_id ORDER BY since);

INSERT INTO recalc_measure
SELECT slot_id, step_no, dimensions_id, round(round(sum(level * lasts), 200) / min(whole), 150), sum(events)
FROM recalc_level GROUP BY slot_id, step_no, dimensions_id;

-- Tiers and included units that run over the term: usage from the first day of the stretch, once with and
-- once without the piece itself.
CREATE TEMPORARY TABLE recalc_counted ON COMMIT DROP AS
SELECT m.slot_id, m.step_no, 1 AS sign, m.dimensions_id, m.quantity, m.events
FROM recalc_measure m
WHERE NOT EXISTS (
  SELECT 1 FROM recalc_slot s JOIN recalc_leaf f ON f.clause = s.clause AND f.step_no = m.step_no
  WHERE s.slot_id = m.slot_id AND f.over_term)
UNION ALL
SELECT p.slot_id, p.step_no, g.sign, m.dimensions_id, sum(m.quantity), sum(m.events)
FROM recalc_piece p JOIN recalc_slot s USING (slot_id)
JOIN (SELECT DISTINCT clause, step_no FROM recalc_leaf WHERE over_term) f
  ON f.clause = s.clause AND f.step_no = p.step_no
CROSS JOIN (VALUES (1), (-1)) AS g(sign)
JOIN recalc_piece q ON q.segment_id = p.segment_id AND q.line_id = p.line_id
  AND (q.starts_on < p.starts_on OR g.sign = 1 AND q.starts_on = p.starts_on)
JOIN recalc_measure m ON (m.slot_id, m.step_no) = (q.slot_id, q.step_no)
WHERE s.kind = 'usage'
GROUP BY p.slot_id, p.step_no, g.sign, m.dimensions_id;

ANALYZE recalc_measure;
ANALYZE recalc_counted
